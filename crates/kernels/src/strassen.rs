//! One level of Strassen's algorithm: a product C = A·B from seven products of halves instead of eight.
//!
//! With quarters of A, B and C, numbered by the half of the rows and the half of the columns they lie in, product i is
//! `LEFT[i] · RIGHT[i]`, and (Strassen 1969)
//!
//! - C₀₀ = M₀ + M₃ − M₄ + M₆, C₀₁ = M₂ + M₄,
//! - C₁₀ = M₁ + M₃, C₁₁ = M₀ − M₁ + M₂ + M₅.
//!
//! The halves of the rows of A are a row each here, neighbours in one text, so that what comes of a text does not depend on
//! which others are computed with it. A row without a neighbour is one whose neighbour is zero: of the seven products four remain, and C₁₀
//! and C₁₁ are not asked for.
//!
//! Operands are rounded to bfloat16, and their sums once more: the error of a product is about two and a half times that of
//! rounded operands alone, which costs a model about as much as autocast does (`scripts/strassen_error.py`). In training the
//! products with weights are made so, forward and for the gradients of inputs, where any rows are neighbours. Those of whole
//! numbers ([`crate::fixed`]) take the same terms twice over.

use crate::kernels::Linear;
use crate::packed::PANEL;

/// Products of halves.
pub(crate) const PRODUCTS: usize = 7;

/// The products that a row without a neighbour takes part in.
#[cfg(target_arch = "x86_64")]
pub(crate) const ALONE: [usize; 4] = [0, 2, 4, 6];

/// Which half of the rows and which of the columns.
type Quarter = [usize; 2];

/// An operand of a product of halves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Term {
    One(Quarter),
    Sum(Quarter, Quarter),
    Difference(Quarter, Quarter),
}

use Term::{Difference, One, Sum};

/// Of A.
pub(crate) const LEFT: [Term; PRODUCTS] = [
    Sum([0, 0], [1, 1]),
    Sum([1, 0], [1, 1]),
    One([0, 0]),
    One([1, 1]),
    Sum([0, 0], [0, 1]),
    Difference([1, 0], [0, 0]),
    Difference([0, 1], [1, 1]),
];

/// Of B.
pub(crate) const RIGHT: [Term; PRODUCTS] = [
    Sum([0, 0], [1, 1]),
    One([0, 0]),
    Difference([0, 1], [1, 1]),
    Difference([1, 0], [0, 0]),
    One([1, 1]),
    Sum([0, 0], [0, 1]),
    Sum([1, 0], [1, 1]),
];

impl Linear {
    /// Whether its products in bfloat16 are made of products of halves: that takes halves in whole panels, and pays from some
    /// hundred features on. The widest layers, decoders over a vocabulary, see few rows and are kept as they are.
    pub(crate) fn uses_strassen(self) -> bool {
        [self.inputs, self.outputs].iter().all(|width| width.is_multiple_of(2 * PANEL) && (384..=8192).contains(width))
    }
}

impl Term {
    /// The term of A for a row without a neighbour.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn alone(self) -> Self {
        match self {
            Sum(quarter, [1, _]) | Difference(quarter, [1, _]) => One(quarter),
            other => other,
        }
    }

    /// The quarters it is the sum of, with their signs.
    pub(crate) fn parts(self) -> impl Iterator<Item = (i16, Quarter)> {
        let (first, second) = match self {
            One(a) => (a, None),
            Sum(a, b) => (a, Some((1, b))),
            Difference(a, b) => (a, Some((-1, b))),
        };
        std::iter::once((1, first)).chain(second)
    }
}

/// The terms of A that come of a row and perhaps the next, each in two halves: of `out` the first elements from `product · step`
/// on. Only on [`Isa::Avx512Bf16`].
///
/// # Panics
/// If the lengths do not agree or halves are not in whole registers.
#[cfg(target_arch = "x86_64")]
pub(crate) fn write_left(first: &[u16], second: Option<&[u16]>, out: &mut [u16], step: usize) {
    let half = first.len() / 2;
    assert!(first.len().is_multiple_of(2 * PANEL) && second.is_none_or(|row| row.len() == first.len()), "two halves");
    assert!(half <= step && out.len() >= (PRODUCTS - 1) * step + half, "room for every term");
    let halves = |row: &[u16]| [row.as_ptr(), row[half..].as_ptr()];
    // SAFETY: the lengths were just checked, and products of halves are only computed on this instruction set.
    unsafe {
        match second {
            Some(second) => avx512bf16::left::<true>([halves(first), halves(second)], half, out.as_mut_ptr(), step),
            None => avx512bf16::left::<false>([halves(first); 2], half, out.as_mut_ptr(), step),
        }
    }
}

/// The sums and differences among the terms of B that `out` has room for; the other terms are quarters themselves. Only on
/// [`Isa::Avx512Bf16`].
///
/// # Panics
/// If the lengths do not agree or are not whole registers.
#[cfg(target_arch = "x86_64")]
pub(crate) fn write_right(quarters: [[&[u16]; 2]; 2], out: &mut [Option<&mut [u16]>; PRODUCTS]) {
    let len = quarters[0][0].len();
    let lengths = quarters.as_flattened().iter().map(|quarter| quarter.len());
    let mut lengths = lengths.chain(out.iter().flatten().map(|out| out.len()));
    assert!(len.is_multiple_of(PANEL) && lengths.all(|other| other == len), "quarters in whole registers");
    let out = out.each_mut().map(|out| out.as_mut().map(|out| out.as_mut_ptr()));
    // SAFETY: the lengths were just checked, and products of halves are only computed on this instruction set.
    unsafe { avx512bf16::right(quarters.map(|row| row.map(|quarter| quarter.as_ptr())), len, out) }
}

#[cfg(target_arch = "x86_64")]
mod avx512bf16 {
    use std::arch::x86_64::*;

    use super::{ALONE, LEFT, PRODUCTS, RIGHT, Term};

    /// 32 numbers in bfloat16, and in single precision those at even and at odd places.
    #[derive(Clone, Copy)]
    struct Wide {
        rounded: __m512i,
        parts: [__m512; 2],
    }

    /// # Safety
    /// The processor has AVX-512 F, and 32 numbers are valid.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load(from: *const u16) -> Wide {
        // SAFETY: as the caller promises.
        let rounded = unsafe { _mm512_loadu_si512(from.cast()) };
        let odd = _mm512_and_si512(rounded, _mm512_set1_epi32(0xffff_0000_u32 as i32));
        Wide { rounded, parts: [_mm512_slli_epi32::<16>(rounded), odd].map(|bits| _mm512_castsi512_ps(bits)) }
    }

    /// The numbers at even and at odd places, rounded and put back in order.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn round([even, odd]: [__m512; 2]) -> __m512i {
        const ORDER: [u16; 32] = {
            let mut order = [0; 32];
            let mut i = 0;
            while i < 32 {
                order[i] = i as u16 / 2 + 16 * (i as u16 % 2);
                i += 1;
            }
            order
        };
        // SAFETY: both are 64 bytes, and any bits are a register of integers.
        unsafe {
            let rounded = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(odd, even));
            _mm512_permutexvar_epi16(_mm512_loadu_si512(ORDER.as_ptr().cast()), rounded)
        }
    }

    /// # Safety
    /// The processor has AVX-512 BW and BF16, `len` is a multiple of 32, each quarter has `len` numbers (those of the second
    /// row only if `PAIRED`), and so has each term, `step` apart.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn left<const PAIRED: bool>(
        quarters: [[*const u16; 2]; 2],
        len: usize,
        out: *mut u16,
        step: usize,
    ) {
        let rows = if PAIRED { 2 } else { 1 };
        for at in (0..len).step_by(32) {
            // SAFETY: as the caller promises.
            unsafe {
                let mut wide = [[load(quarters[0][0].add(at)); 2]; 2];
                for row in 0..rows {
                    for column in 0..2 {
                        wide[row][column] = load(quarters[row][column].add(at));
                    }
                }
                for (product, term) in LEFT.into_iter().enumerate() {
                    if PAIRED || ALONE.contains(&product) {
                        let term = if PAIRED { term } else { term.alone() };
                        _mm512_storeu_si512(out.add(product * step + at).cast(), rounded(term, &wide));
                    }
                }
            }
        }
    }

    /// # Safety
    /// The processor has AVX-512 BW and BF16, `len` is a multiple of 32, and each quarter and each term has `len` numbers.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn right(quarters: [[*const u16; 2]; 2], len: usize, out: [Option<*mut u16>; PRODUCTS]) {
        for at in (0..len).step_by(32) {
            // SAFETY: as the caller promises.
            unsafe {
                let mut wide = [[load(quarters[0][0].add(at)); 2]; 2];
                for row in 0..2 {
                    for column in 0..2 {
                        wide[row][column] = load(quarters[row][column].add(at));
                    }
                }
                for (out, term) in out.iter().zip(RIGHT) {
                    if let Some(out) = out {
                        _mm512_storeu_si512(out.add(at).cast(), rounded(term, &wide));
                    }
                }
            }
        }
    }

    /// A term of quarters.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn rounded(term: Term, quarters: &[[Wide; 2]; 2]) -> __m512i {
        let at = |[row, column]: [usize; 2]| quarters[row][column];
        match term {
            Term::One(a) => at(a).rounded,
            Term::Sum(a, b) => {
                let (a, b) = (at(a).parts, at(b).parts);
                round([0, 1].map(|i| _mm512_add_ps(a[i], b[i])))
            }
            Term::Difference(a, b) => {
                let (a, b) = (at(a).parts, at(b).parts);
                round([0, 1].map(|i| _mm512_sub_ps(a[i], b[i])))
            }
        }
    }
}
