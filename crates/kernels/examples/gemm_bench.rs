//! Speed of the matrix products of one BERT-base training step, and their share of a measured register-only peak.
//!
//! `cargo run --release -p gyeol-kernels --example gemm_bench [TOKENS]`

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::Instant;

use gyeol_kernels::{Fast, Isa, Kernels, Linear};

/// Shortest of several timings: the machine's own speed, with the least of its other work.
fn seconds(mut work: impl FnMut()) -> f64 {
    work();
    let mut best = f64::INFINITY;
    let started = Instant::now();
    while started.elapsed().as_secs_f64() < 0.4 {
        let t = Instant::now();
        work();
        best = best.min(t.elapsed().as_secs_f64());
    }
    best
}

/// Multiply-adds on registers alone, on every thread: the most any product could reach. GFLOP/s.
fn peak(isa: Isa) -> f64 {
    const ROUNDS: usize = 2_000_000;
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        #[target_feature(enable = "avx512f")]
        fn wide(x: f32) -> f32 {
            let factor = _mm512_set1_ps(x);
            let mut sums = [_mm512_set1_ps(x); 24];
            for _ in 0..ROUNDS {
                for sum in &mut sums {
                    *sum = _mm512_fmadd_ps(*sum, factor, factor);
                }
            }
            sums.iter().map(|&sum| _mm512_reduce_add_ps(sum)).sum()
        }
        #[target_feature(enable = "avx2,fma")]
        fn narrow(x: f32) -> f32 {
            let factor = _mm256_set1_ps(x);
            let mut sums = [_mm256_set1_ps(x); 12];
            for _ in 0..ROUNDS {
                for sum in &mut sums {
                    *sum = _mm256_fmadd_ps(*sum, factor, factor);
                }
            }
            sums.iter().map(|&sum| _mm_cvtss_f32(_mm256_castps256_ps128(sum))).sum()
        }
        let (lanes, sums) = match isa {
            Isa::Avx512 => (16, 24),
            Isa::Avx2 => (8, 12),
            Isa::Portable => return f64::NAN,
        };
        let time = seconds(|| {
            rayon::broadcast(|_| {
                // SAFETY: `isa` is available, as it was detected.
                black_box(unsafe { if isa == Isa::Avx512 { wide(black_box(0.5)) } else { narrow(black_box(0.5)) } });
            });
        });
        (rayon::current_num_threads() * ROUNDS * sums * lanes * 2) as f64 / time / 1e9
    }
    #[cfg(not(target_arch = "x86_64"))]
    f64::NAN
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tokens: usize = std::env::args().nth(1).map_or(Ok(544), |n| n.parse())?;
    let isa = Isa::detect()?;
    let (peak, kernels) = (peak(isa), Fast::new(isa));
    println!("{} on {} threads, {tokens} tokens; peak {peak:.0} GFLOP/s", isa.name(), rayon::current_num_threads());
    let mut total = (0.0, 0.0);
    for (name, inputs, outputs) in
        [("qkv", 768, 2304), ("attention output", 768, 768), ("ffn up", 768, 3072), ("ffn down", 3072, 768)]
    {
        let (x, w, dy) = (vec![0.5; tokens * inputs], vec![0.25; outputs * inputs], vec![0.125; tokens * outputs]);
        let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
        let (bias, mut db) = (vec![0.0; outputs], vec![0.0; outputs]);
        let shape = Linear { inputs, outputs };
        let forward = seconds(|| kernels.linear(shape, &x, &w, &bias, &mut y));
        let input = seconds(|| kernels.linear_backward_input(shape, &dy, &w, &mut dx, false));
        let weight = seconds(|| kernels.linear_backward_weight(shape, &dy, &x, &mut dw, &mut db));
        let work = (2 * tokens * inputs * outputs) as f64 / 1e9;
        for (pass, time) in [("forward", forward), ("input gradient", input), ("weight gradient", weight)] {
            let speed = work / time;
            println!("{name:18} {pass:16} {speed:7.0} GFLOP/s  {:3.0} %", 100.0 * speed / peak);
            total = (total.0 + work, total.1 + time);
        }
    }
    let speed = total.0 / total.1;
    println!("{:35} {speed:7.0} GFLOP/s  {:3.0} %", "all", 100.0 * speed / peak);
    Ok(())
}
