//! Vectors of the instruction sets as one trait, so that attention is written once and compiled for each.
//!
//! Attention wants fused multiply-adds in tiles of registers, which the compiler does not find by itself in plain loops.

use super::operand::{Operand, Products};
use crate::dropout::Dropout;
use crate::vecmath::{EXP_POLYNOMIAL, ROUND};

/// Work written over any vectors that multiply words of the kind `W`.
pub(super) trait Work<W: Operand> {
    /// Implementations are `#[inline(always)]`, as is all they call with vectors: only inside [`Lanes::enter`] is
    /// the instruction set switched on.
    ///
    /// # Safety
    /// What the work itself asks for.
    unsafe fn run<S: Products<W>>(self, s: S);
}

/// The vectors of one instruction set. A value of the implementing type proves that the processor has it.
pub(super) trait Lanes: Copy {
    /// Elements of a vector, at most 16.
    const WIDTH: usize;
    /// Rows of the register tile that is 1, 2, … vectors wide.
    const TILE_ROWS: &'static [usize];
    /// A vector.
    type V: Copy;

    /// Runs `work` compiled for this instruction set, as a call of its own.
    ///
    /// # Safety
    /// What the work asks for.
    unsafe fn enter<W: Operand, K: Work<W>>(self, work: K)
    where
        Self: Products<W>;

    fn splat(self, x: f32) -> Self::V;
    /// # Safety
    /// `WIDTH` elements from `from` are readable.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// # Safety
    /// `WIDTH` elements from `to` are writable.
    unsafe fn store(self, x: Self::V, to: *mut f32);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger of each pair; `b` where either is not a number.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// a·b - c
    fn mul_sub(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// To the nearest integer, for |x| < 2²².
    fn round(self, x: Self::V) -> Self::V;
    /// x·2ⁿ for integers n from -126 to 127.
    fn times_power_of_two(self, x: Self::V, n: Self::V) -> Self::V;
    /// `a₀ b₀ a₁ b₁ …`, cut into two vectors.
    fn interleave(self, a: Self::V, b: Self::V) -> [Self::V; 2];
    /// The dropout factors of element `index` of `WIDTH` parts with keys from `keys`.
    ///
    /// # Safety
    /// `WIDTH` elements from each of `keys` are readable.
    unsafe fn factors(self, dropout: Dropout, index: u32, keys: [*const u32; 2]) -> Self::V;

    /// 2ˣ within 2 ulp for x in [-126, 127]; 2⁻¹²⁶ below it.
    #[inline(always)]
    fn exp2(self, x: Self::V) -> Self::V {
        let x = self.max(self.splat(-126.0), x);
        let n = self.round(x);
        let r = self.mul(self.sub(x, n), self.splat(std::f32::consts::LN_2));
        let [highest, rest @ ..] = EXP_POLYNOMIAL;
        let mut p = self.splat(highest);
        for coefficient in rest {
            p = self.mul_add(p, r, self.splat(coefficient));
        }
        let one = self.splat(1.0);
        self.times_power_of_two(self.mul_add(self.mul_add(p, r, one), r, one), n)
    }
}

/// Plain Rust, in vectors that every target's baseline has.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Lanes for Portable {
    const WIDTH: usize = 4;
    const TILE_ROWS: &'static [usize] = &[4, 4];
    type V = [f32; 4];

    unsafe fn enter<W: Operand, K: Work<W>>(self, work: K)
    where
        Self: Products<W>,
    {
        // SAFETY: passed on to the caller.
        unsafe { work.run(self) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 4] {
        [x; 4]
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 4] {
        // SAFETY: readable, as the caller promises.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, x: [f32; 4], to: *mut f32) {
        // SAFETY: writable, as the caller promises.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(x) }
    }

    #[inline(always)]
    fn add(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn sub(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] - b[i])
    }

    #[inline(always)]
    fn mul(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn div(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] / b[i])
    }

    #[inline(always)]
    fn max(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn mul_sub(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] * b[i] - c[i])
    }

    #[inline(always)]
    fn round(self, x: [f32; 4]) -> [f32; 4] {
        x.map(|x| (x + ROUND) - ROUND)
    }

    #[inline(always)]
    fn times_power_of_two(self, x: [f32; 4], n: [f32; 4]) -> [f32; 4] {
        // The integer stands in the low bits of the sum, above which the shift leaves nothing of the rest.
        std::array::from_fn(|i| x[i] * f32::from_bits((n[i] + (ROUND + 127.0)).to_bits() << 23))
    }

    #[inline(always)]
    fn interleave(self, a: [f32; 4], b: [f32; 4]) -> [[f32; 4]; 2] {
        [[a[0], b[0], a[1], b[1]], [a[2], b[2], a[3], b[3]]]
    }

    #[inline(always)]
    unsafe fn factors(self, dropout: Dropout, index: u32, keys: [*const u32; 2]) -> [f32; 4] {
        // SAFETY: readable, as the caller promises.
        let keys = unsafe { keys.map(|key| key.cast::<[u32; 4]>().read_unaligned()) };
        dropout.factors_of_parts(index, keys)
    }
}
