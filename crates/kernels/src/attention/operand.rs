//! What the operands of attention's products are made of: numbers in single precision, or pairs of bfloat16 where linear
//! layers compute in those. The algorithm is written once over both.

use super::lanes::{Lanes, Portable, Work};
use super::tile::Rows;
use crate::isa::Isa;
use crate::rounded::rounded_stride;
use crate::word::Word;

/// A word of an operand: numbers that follow each other along the dimension that a product sums over.
pub(super) trait Operand: Word {
    /// Numbers in a word, 1 or 2.
    const GROUP: usize;

    /// Words from row to row of rows of `width` numbers.
    fn stride(width: usize) -> usize;

    /// Runs `work` on the vectors of `isa`.
    ///
    /// # Safety
    /// What the work asks for.
    unsafe fn enter<K: Work<Self>>(isa: Isa, work: K);
}

impl Operand for f32 {
    const GROUP: usize = 1;

    fn stride(width: usize) -> usize {
        width
    }

    unsafe fn enter<K: Work<f32>>(isa: Isa, work: K) {
        // SAFETY: `Fast::new` has checked that the processor has this instruction set; the rest is the caller's.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512Bf16 | Isa::Avx512 => super::x86::Avx512::<false>::new().enter(work),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => super::x86::Avx2::new().enter(work),
                _ => Portable.enter(work),
            }
        }
    }
}

/// Two numbers in bfloat16, the first in the lower half.
impl Operand for u32 {
    const GROUP: usize = 2;

    fn stride(width: usize) -> usize {
        rounded_stride(width) / 2
    }

    unsafe fn enter<K: Work<u32>>(isa: Isa, work: K) {
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Fast::new` has checked that the processor has this instruction set; the rest is the caller's.
            Isa::Avx512Bf16 => unsafe { super::x86::Avx512::<true>::new().enter(work) },
            _ => unreachable!("pairs are only taken where the instruction set multiplies them"),
        }
    }
}

/// Vectors that compute products of words.
pub(super) trait Products<W: Operand>: Lanes {
    /// c + a·b, all products of a word.
    fn add_products(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// A word a lane of the first [`Operand::GROUP`] of `terms`.
    fn words(self, terms: [Self::V; 2]) -> Self::V;

    /// Stores `x` as words of neighbouring lanes.
    ///
    /// # Safety
    /// `WIDTH` numbers from `to` are writable.
    unsafe fn store_across(self, x: Self::V, to: *mut W);

    /// Stores [`Products::words`] of `terms` at `down`, and each of them as [`Products::store_across`] at its place of
    /// `across`; where a word is one number, only the former, as both are the same.
    ///
    /// # Safety
    /// `WIDTH` words from `down` and `WIDTH` numbers from each of `across` are writable.
    unsafe fn store_both_ways(self, terms: [Self::V; 2], down: *mut W, across: [*mut W; 2]);

    /// `rows` in words along the columns, of which there is an even number: where they are, or rounded into `room`.
    ///
    /// # Safety
    /// The rows are readable.
    unsafe fn rounded(self, rows: Rows<f32>, room: &mut [f32]) -> Rows<W>;

    /// `rows`, in words along the columns, in words along the rows instead and as whole vectors: where they are, or in
    /// `room`, filled up with zeros.
    ///
    /// # Safety
    /// The rows are readable.
    unsafe fn down(self, rows: Rows<W>, room: &mut [f32]) -> Rows<W>;
}

impl<S: Lanes> Products<f32> for S {
    #[inline(always)]
    fn add_products(self, a: S::V, b: S::V, c: S::V) -> S::V {
        self.mul_add(a, b, c)
    }

    #[inline(always)]
    fn words(self, terms: [S::V; 2]) -> S::V {
        terms[0]
    }

    #[inline(always)]
    unsafe fn store_across(self, x: S::V, to: *mut f32) {
        // SAFETY: passed on to the caller.
        unsafe { self.store(x, to) }
    }

    #[inline(always)]
    unsafe fn store_both_ways(self, terms: [S::V; 2], down: *mut f32, _: [*mut f32; 2]) {
        // SAFETY: passed on to the caller.
        unsafe { self.store(terms[0], down) }
    }

    #[inline(always)]
    unsafe fn rounded(self, rows: Rows<f32>, _: &mut [f32]) -> Rows<f32> {
        rows
    }

    #[inline(always)]
    unsafe fn down(self, rows: Rows<f32>, room: &mut [f32]) -> Rows<f32> {
        if rows.columns.is_multiple_of(S::WIDTH) {
            rows
        } else {
            // SAFETY: passed on to the caller.
            unsafe { rows.pack(S::WIDTH, room) }
        }
    }
}
