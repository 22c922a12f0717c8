//! The most this processor can multiply and add: loops on registers alone, without a single load. What the speed of a
//! product is a share of.

use std::hint::black_box;

use crate::isa::{Isa, Operands};

/// Rounds of one timing, each of a multiply-add into every accumulator: some tenths of a millisecond, short enough that even
/// on a busy machine many timings are undisturbed.
const ROUNDS: usize = 1 << 16;

/// Timings of each thread, of which its shortest counts.
const TIMINGS: usize = 1000;

/// Accumulators in 512-bit registers: as many as the tiles of the products have, and more than the units need to be busy.
#[cfg(target_arch = "x86_64")]
const WIDE: usize = 24;

/// Accumulators in 256-bit registers, of which there are half as many.
#[cfg(target_arch = "x86_64")]
const NARROW: usize = 12;

/// Floating-point operations a second that multiply-adds reach on registers alone, all threads of the current pool at once;
/// `None` where `isa` has no instruction of its own for products of `operands`.
///
/// Each thread takes its own best time, so that what else the machine does makes the peak no lower, and a share of it no
/// higher. `clock` tells the seconds since any fixed moment, as this crate reads none. Takes less than a second.
///
/// # Panics
/// If this processor lacks `isa`.
pub fn peak(isa: Isa, operands: Operands, clock: impl Fn() -> f64 + Sync) -> Option<f64> {
    assert!(isa.available(), "this processor lacks {}", isa.name());
    let work = (ROUNDS * operations(isa, operands)?) as f64;
    let speed = || {
        let time = |_| {
            let start = clock();
            run(isa, operands, black_box(0.5));
            clock() - start
        };
        work / (0..TIMINGS).map(time).fold(f64::INFINITY, f64::min)
    };
    Some(rayon::broadcast(|_| speed()).into_iter().sum())
}

/// Floating-point operations of one round.
#[cfg(target_arch = "x86_64")]
fn operations(isa: Isa, operands: Operands) -> Option<usize> {
    match (isa, operands) {
        // Two products a lane.
        (Isa::Avx512Bf16, Operands::Bf16) => Some(WIDE * 16 * 4),
        (Isa::Avx512Bf16 | Isa::Avx512, Operands::F32) => Some(WIDE * 16 * 2),
        (Isa::Avx2, Operands::F32) => Some(NARROW * 8 * 2),
        _ => None,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn operations(_: Isa, _: Operands) -> Option<usize> {
    None
}

/// All rounds on this thread.
#[cfg(target_arch = "x86_64")]
fn run(isa: Isa, operands: Operands, x: f32) {
    match (isa, operands) {
        // SAFETY: `peak` has checked that the processor has this instruction set.
        (Isa::Avx512Bf16, Operands::Bf16) => unsafe { loops::avx512bf16(x) },
        // SAFETY: as above.
        (Isa::Avx512Bf16 | Isa::Avx512, Operands::F32) => unsafe { loops::avx512(x) },
        // SAFETY: as above.
        (Isa::Avx2, Operands::F32) => unsafe { loops::avx2(x) },
        _ => {}
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn run(_: Isa, _: Operands, _: f32) {}

#[cfg(target_arch = "x86_64")]
mod loops {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    use super::{NARROW, ROUNDS, WIDE};

    // The compiler sees neither where the sums come from, or it might notice that all are the same, nor where they go, or
    // it arranges the loop for what follows and moves registers about in it.

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn avx512bf16(x: f32) {
        let wide = _mm512_set1_ps(x);
        let pairs = _mm512_cvtne2ps_pbh(wide, wide);
        let mut sums = black_box([wide; WIDE]);
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, pairs, pairs);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(x: f32) {
        let factor = _mm512_set1_ps(x);
        let mut sums = black_box([factor; WIDE]);
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(factor, factor, *sum);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(x: f32) {
        let factor = _mm256_set1_ps(x);
        let mut sums = black_box([factor; NARROW]);
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(factor, factor, *sum);
            }
        }
        black_box(sums);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn the_shortest_timing_counts_and_only_instructions_that_exist_have_a_peak() {
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let both = |isa| [(isa, Operands::F32), (isa, Operands::Bf16)];
        for (isa, operands) in Isa::ALL.into_iter().filter(|isa| isa.available()).flat_map(both) {
            // The nth reading is n²: two readings are 3, 7, 11 … apart.
            let readings = AtomicU64::new(1);
            let clock = || (readings.fetch_add(1, Ordering::Relaxed) as f64).powi(2);
            let expected = operations(isa, operands).map(|round| (ROUNDS * round) as f64 / 3.0);
            assert_eq!(alone.install(|| peak(isa, operands, clock)), expected, "{isa:?} {operands:?}");
        }
        assert_eq!(operations(Isa::Portable, Operands::F32), None);
    }
}
