//! The inner loop of a whole 12×32 tile of products of pairs, bfloat16 or 16-bit integers, in assembly.
//!
//! Compilers reduce the twelve addresses of A to a chain of additions, each waiting for the one before. Written out, four
//! pointers and the stride serve all of them, and requests for the rows to come fall evenly between the products.

use std::arch::asm;
use std::arch::x86_64::*;

/// Groups between two requests: a line of the cache of each row.
pub(super) const LINE: usize = 16;

/// The sums of a tile.
pub(super) type Sums = [[__m512; 2]; 12];

/// The products of one row, whose pairs come from `$from`, added to its two sums by the instruction `$dot`.
macro_rules! row {
    ($dot:literal, $low:literal, $high:literal, $pair:literal, $from:literal) => {
        concat!(
            "vbroadcastss zmm",
            $pair,
            ", dword ptr [",
            $from,
            "]\n",
            $dot,
            " zmm",
            $low,
            ", zmm",
            $pair,
            ", zmm24\n",
            $dot,
            " zmm",
            $high,
            ", zmm",
            $pair,
            ", zmm25\n",
        )
    };
}

/// A loop over lines of groups: `$ask` once a line, then 16 times the products of a group, whose rows are at `$rows`, and
/// `$step` to the next one. The sums are in the registers 0 to 23.
macro_rules! lines {
    ($dot:literal, [$($ask:literal),*], [$($rows:literal),*], [$($step:literal),*], $sums:ident, $($operand:tt)*) => {
        lines!(@ $dot, [$($ask),*], $($rows),*, [$($step),*], $sums, $($operand)*)
    };
    (@ $dot:literal, [$($ask:literal),*], $r0:literal, $r1:literal, $r2:literal, $r3:literal, $r4:literal, $r5:literal, $r6:literal,
     $r7:literal, $r8:literal, $r9:literal, $r10:literal, $r11:literal, [$($step:literal),*], $sums:ident,
     $($operand:tt)*) => {
        asm!(
            "2:",
            $($ask,)*
            "mov {group:e}, 16",
            ".p2align 6",
            "3:",
            "vmovups zmm24, [{b}]",
            "vmovups zmm25, [{b} + 64]",
            row!($dot, "0", "1", "26", $r0), row!($dot, "2", "3", "27", $r1), row!($dot, "4", "5", "28", $r2),
            row!($dot, "6", "7", "29", $r3), row!($dot, "8", "9", "30", $r4), row!($dot, "10", "11", "31", $r5),
            row!($dot, "12", "13", "26", $r6), row!($dot, "14", "15", "27", $r7), row!($dot, "16", "17", "28", $r8),
            row!($dot, "18", "19", "29", $r9), row!($dot, "20", "21", "30", $r10), row!($dot, "22", "23", "31", $r11),
            $($step,)*
            "add {b}, 128",
            "dec {group:e}",
            "jnz 3b",
            "dec {lines}",
            "jnz 2b",
            $($operand)*
            group = out(reg) _,
            inout("zmm0") $sums[0][0], inout("zmm1") $sums[0][1], inout("zmm2") $sums[1][0], inout("zmm3") $sums[1][1],
            inout("zmm4") $sums[2][0], inout("zmm5") $sums[2][1], inout("zmm6") $sums[3][0], inout("zmm7") $sums[3][1],
            inout("zmm8") $sums[4][0], inout("zmm9") $sums[4][1], inout("zmm10") $sums[5][0],
            inout("zmm11") $sums[5][1], inout("zmm12") $sums[6][0], inout("zmm13") $sums[6][1],
            inout("zmm14") $sums[7][0], inout("zmm15") $sums[7][1], inout("zmm16") $sums[8][0],
            inout("zmm17") $sums[8][1], inout("zmm18") $sums[9][0], inout("zmm19") $sums[9][1],
            inout("zmm20") $sums[10][0], inout("zmm21") $sums[10][1], inout("zmm22") $sums[11][0],
            inout("zmm23") $sums[11][1],
            out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _, out("zmm28") _, out("zmm29") _,
            out("zmm30") _, out("zmm31") _,
            options(nostack, readonly),
        )
    };
}

/// Adds the products of `lines` (at least one) times [`LINE`] groups of a panel `[groups][12]` of A and one `[groups][32]`
/// of B; asks for as much from `ahead` on as three rows of A hold.
///
/// # Safety
/// The panels hold the groups, and the processor has AVX512_BF16.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn add_panel(lines: usize, a: *const u32, b: *const u32, ahead: *const u32, mut sums: Sums) -> Sums {
    // SAFETY: as the caller promises; a request for any address is harmless.
    unsafe {
        lines!(
            "vdpbf16ps",
            ["prefetcht0 [{ahead}]", "prefetcht0 [{ahead} + 64]", "prefetcht0 [{ahead} + 128]", "add {ahead}, 192"],
            [
                "{a}", "{a} + 4", "{a} + 8", "{a} + 12", "{a} + 16", "{a} + 20", "{a} + 24", "{a} + 28", "{a} + 32",
                "{a} + 36", "{a} + 40", "{a} + 44"
            ],
            ["add {a}, 48"],
            sums,
            lines = inout(reg) lines => _,
            a = inout(reg) a => _,
            b = inout(reg) b => _,
            ahead = inout(reg) ahead => _,
        );
    }
    sums
}

/// The products of twelve rows of A by the instruction `$dot`, `$ask` once a line.
macro_rules! rows {
    ($dot:literal, [$($ask:literal),*], [$($ask_far:literal),*], $lines:ident, $a:ident, $stride:ident, $b:ident, $ahead:ident,
     $sums:ident, $($operand:tt)*) => {
        lines!(
            $dot,
            [$($ask),*],
            [
                "{a0}", "{a0} + {stride}", "{a0} + 2*{stride}", "{a3}", "{a3} + {stride}", "{a3} + 2*{stride}",
                "{a6}", "{a6} + {stride}", "{a6} + 2*{stride}", "{a9}", "{a9} + {stride}", "{a9} + 2*{stride}"
            ],
            [$($ask_far,)* "add {a0}, 4", "add {a3}, 4", "add {a6}, 4", "add {a9}, 4"],
            $sums,
            lines = inout(reg) $lines => _,
            a0 = inout(reg) $a => _,
            a3 = inout(reg) $a.wrapping_add(3 * $stride) => _,
            a6 = inout(reg) $a.wrapping_add(6 * $stride) => _,
            a9 = inout(reg) $a.wrapping_add(9 * $stride) => _,
            stride = in(reg) 4 * $stride,
            b = inout(reg) $b => _,
            ahead = inout(reg) $ahead => _,
            $($operand)*
        )
    };
}

/// [`add_panel`] with twelve rows of A `stride` words apart; asks for three such rows from `ahead` on.
///
/// # Safety
/// The rows and the panel hold the groups, and the processor has AVX512_BF16.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn add_rows(
    lines: usize,
    a: *const u32,
    stride: usize,
    b: *const u32,
    ahead: *const u32,
    mut sums: Sums,
) -> Sums {
    // SAFETY: as the caller promises; a request for any address is harmless.
    unsafe {
        rows!(
            "vdpbf16ps",
            [
                "prefetcht0 [{ahead}]",
                "prefetcht0 [{ahead} + {stride}]",
                "prefetcht0 [{ahead} + 2*{stride}]",
                "add {ahead}, 64"
            ],
            [],
            lines,
            a,
            stride,
            b,
            ahead,
            sums,
        );
    }
    sums
}

/// Operands of a tile of whole numbers, and what is asked for while it is computed.
#[derive(Clone, Copy)]
pub(super) struct WholeOperands {
    /// Groups, by [`LINE`]; at least one.
    pub(super) lines: usize,
    /// Rows of A, and the words from row to row.
    pub(super) a: *const u32,
    pub(super) stride: usize,
    /// A panel `[groups][32]` of B.
    pub(super) b: *const u32,
    /// As many rows to come, for the first-level cache.
    pub(super) ahead: *const u32,
    /// What comes later, for the second-level cache: with each group the line here, and `far_step` bytes on.
    pub(super) far: *const u32,
    pub(super) far_step: usize,
}

/// [`add_rows`] of 16-bit integers, with sums in 32 bits that wrap around.
///
/// # Safety
/// The rows and the panel hold the groups, and the processor has AVX512_VNNI.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) unsafe fn add_whole_rows(operands: WholeOperands, mut sums: [[__m512i; 2]; 12]) -> [[__m512i; 2]; 12] {
    let WholeOperands { lines, a, stride, b, ahead, far, far_step } = operands;
    // SAFETY: as the caller promises; a request for any address is harmless.
    unsafe {
        // Rows are one after the other, and with the odd line between them 14 or less for each line of groups.
        rows!(
            "vpdpwssd",
            [
                "prefetcht0 [{ahead}]",
                "prefetcht0 [{ahead} + 64]",
                "prefetcht0 [{ahead} + 128]",
                "prefetcht0 [{ahead} + 192]",
                "prefetcht0 [{ahead} + 256]",
                "prefetcht0 [{ahead} + 320]",
                "prefetcht0 [{ahead} + 384]",
                "prefetcht0 [{ahead} + 448]",
                "prefetcht0 [{ahead} + 512]",
                "prefetcht0 [{ahead} + 576]",
                "prefetcht0 [{ahead} + 640]",
                "prefetcht0 [{ahead} + 704]",
                "prefetcht0 [{ahead} + 768]",
                "prefetcht0 [{ahead} + 832]",
                "add {ahead}, 896"
            ],
            ["prefetcht1 [{far}]", "add {far}, {far_step}"],
            lines,
            a,
            stride,
            b,
            ahead,
            sums,
            far = inout(reg) far => _,
            far_step = in(reg) far_step,
        );
    }
    sums
}
