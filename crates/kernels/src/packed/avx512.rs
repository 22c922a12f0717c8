//! Rounding with AVX512_BF16, and both orders written from registers. They go past the caches to memory: the products
//! that read them come much later, and the lines need not be fetched first.

use std::arch::x86_64::*;

use super::{BLOCK, PANEL, Tile};

/// Lanes of a register.
const LANES: usize = 16;

/// # Safety
/// The processor has AVX-512 F and BF16, and `words` holds half of `row`, rounded up.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn round_row(row: &[f32], words: &mut [u32]) {
    let (from, to) = (row.as_ptr(), words.as_mut_ptr());
    for start in (0..words.len()).step_by(LANES) {
        let (first, count) = (2 * start, words.len() - start);
        // SAFETY: loads are masked to the elements of `row`, the store to those of `words`; prefetching cannot fault.
        unsafe {
            let low = _mm512_maskz_loadu_ps(mask(row.len().saturating_sub(first)), from.wrapping_add(first));
            let high = first + LANES;
            let high = _mm512_maskz_loadu_ps(mask(row.len().saturating_sub(high)), from.wrapping_add(high));
            let pairs = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            _mm512_mask_storeu_epi32(to.add(start).cast(), mask(count), pairs);
        }
    }
}

/// See `round_block_plainly`.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(crate) fn round_block(x: &[f32; BLOCK]) -> ([u16; BLOCK], [f32; BLOCK]) {
    // Widened from the register: half of a register that was just stored is not forwarded to a load.
    let widen = |half: __m256i| _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half));
    // SAFETY: a block is two registers of singles and one of halves, and any bits are both.
    unsafe {
        let low = _mm512_loadu_ps(x.as_ptr());
        let high = _mm512_loadu_ps(x.as_ptr().add(LANES));
        let halves = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
        let back = [widen(_mm512_castsi512_si256(halves)), widen(_mm512_extracti64x4_epi64::<1>(halves))];
        (std::mem::transmute::<__m512i, [u16; BLOCK]>(halves), std::mem::transmute::<[__m512i; 2], [f32; BLOCK]>(back))
    }
}

/// The first `count` lanes, at most all.
fn mask(count: usize) -> __mmask16 {
    if count < LANES { (1 << count) - 1 } else { u16::MAX }
}

/// Orders the streamed stores before whatever this thread does next, such as telling another one that they are done.
pub(super) fn finish_stores() {
    // SAFETY: every x86-64 processor has it.
    unsafe { _mm_sfence() }
}

/// The forward order of `tile`: column pairs, a panel of 32 rows each.
///
/// # Safety
/// The processor has AVX-512 F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn write_forward(tile: &Tile<'_>, out: &mut [u32]) {
    for (group, out) in out.chunks_mut(LANES * PANEL).enumerate() {
        for first in [0, LANES] {
            let mut block = [_mm512_setzero_si512(); LANES];
            for (i, register) in block.iter_mut().enumerate() {
                *register = load(&tile.row(first + i)[LANES * group..][..LANES]);
            }
            for (pair, register) in out.chunks_exact_mut(PANEL).zip(transpose(block)) {
                store(&mut pair[first..first + LANES], register);
            }
        }
    }
}

/// The backward order of `tile`: for each panel of 32 columns, row pairs.
///
/// # Safety
/// The processor has AVX-512 F and BW.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn write_backward(tile: &Tile<'_>, panels: &mut [&mut [u32]]) {
    // Lane i of the interleaved rows is element i / 2 of the first, or of the second (32 further on) if i is odd.
    let lanes = |start: u16| -> [u16; 32] { std::array::from_fn(|i| start + i as u16 / 2 + 32 * (i as u16 % 2)) };
    let (lower, upper) = (lanes(0), lanes(16));
    // SAFETY: both are 64 bytes.
    let (lower, upper) =
        unsafe { (_mm512_loadu_epi16(lower.as_ptr().cast()), _mm512_loadu_epi16(upper.as_ptr().cast())) };
    for (group, panel) in panels.iter_mut().enumerate() {
        for (i, out) in panel.chunks_exact_mut(PANEL).enumerate() {
            let [even, odd] = [2 * i, 2 * i + 1].map(|row| load(&tile.row(row)[LANES * group..][..LANES]));
            let (first, second) = out.split_at_mut(LANES);
            store(first, _mm512_permutex2var_epi16(even, lower, odd));
            store(second, _mm512_permutex2var_epi16(even, upper, odd));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u32]) -> __m512i {
    assert_eq!(words.len(), LANES);
    // SAFETY: a register's worth, as just checked.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut [u32], register: __m512i) {
    assert_eq!(words.len(), LANES);
    let to = words.as_mut_ptr().cast::<__m512i>();
    // SAFETY: a register's worth, as just checked; streamed only if it is a cache line of its own.
    unsafe { if to.is_aligned() { _mm512_stream_si512(to, register) } else { _mm512_storeu_si512(to, register) } }
}

/// Transposes a 16×16 block: pairs, then quads, within 128-bit lanes, then the lanes themselves.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(r: [__m512i; 16]) -> [__m512i; 16] {
    let zero = _mm512_setzero_si512();
    let mut quads = [zero; 16];
    for i in 0..4 {
        let [a, b, c, d] = [r[4 * i], r[4 * i + 1], r[4 * i + 2], r[4 * i + 3]];
        let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        // quads[4i + j]: in lane l, column 4l + j of rows 4i..4i + 4.
        quads[4 * i] = _mm512_unpacklo_epi64(ab_low, cd_low);
        quads[4 * i + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        quads[4 * i + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        quads[4 * i + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
    let mut out = [zero; 16];
    for j in 0..4 {
        let [a, b, c, d] = [quads[j], quads[4 + j], quads[8 + j], quads[12 + j]];
        let (ab_even, ab_odd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
        let (cd_even, cd_odd) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
        out[j] = _mm512_shuffle_i32x4::<0x88>(ab_even, cd_even);
        out[8 + j] = _mm512_shuffle_i32x4::<0xdd>(ab_even, cd_even);
        out[4 + j] = _mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd);
        out[12 + j] = _mm512_shuffle_i32x4::<0xdd>(ab_odd, cd_odd);
    }
    out
}
