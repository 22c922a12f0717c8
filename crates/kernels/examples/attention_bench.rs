//! Time and speed of one layer's multi-head self-attention, forward and backward, over ragged and dense batches.
//!
//! `cargo run --release -p gyeol-kernels --example attention_bench [SECONDS]`

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use gyeol_kernels::{Arena, Dropout, Fast, Heads, Isa, Kernels, RowsMut};

/// Lengths of 32 short reviews: most a line, some a paragraph; 17 tokens on average.
const REVIEWS: [usize; 32] = [
    5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 16, 16, 17, 18, 19, 20, 22, 24, 28, 33, 41,
    90,
];

/// The shortest of several timings: the machine's own speed, with the least of its other work.
fn shortest(budget: Duration, mut work: impl FnMut()) -> f64 {
    work();
    let (started, mut best) = (Instant::now(), f64::INFINITY);
    while started.elapsed() < budget {
        let t = Instant::now();
        work();
        best = best.min(t.elapsed().as_secs_f64());
    }
    best
}

/// Values of about the size that activations have, in no order, in memory as the engine has it.
fn values(seed: u32, len: usize) -> std::io::Result<Arena> {
    let (mut values, mut state) = (Arena::zeros(len)?, seed);
    for value in values.as_mut_slice() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
    }
    Ok(values)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let budget = Duration::from_secs_f64(std::env::args().nth(1).map_or(Ok(0.5), |n| n.parse())?);
    let isa = Isa::detect()?;
    let kernels = Fast::new(isa);
    println!("{} on {} threads", isa.name(), rayon::current_num_threads());
    println!("{:34}{:>10}{:>18}{:>18}{:>10}", "µs (GFLOP/s)", "tokens", "forward", "backward", "both");
    // Of a batch so that no sequence is where its length would put it.
    let shuffled: Vec<usize> = (0..REVIEWS.len()).map(|i| REVIEWS[(i * 13 + 5) % REVIEWS.len()]).collect();
    let base = Heads { heads: 12, head_dim: 64 };
    for (name, shape, lengths, dropout) in [
        ("32 reviews", base, shuffled.clone(), 0.0),
        ("32 reviews, dropout", base, shuffled.clone(), 0.1),
        ("32 reviews, dropout, 12 × 32", Heads { head_dim: 32, ..base }, shuffled, 0.1),
        ("32 × 64", base, vec![64; 32], 0.0),
        ("32 × 64, dropout", base, vec![64; 32], 0.1),
        ("4 × 512", base, vec![512; 4], 0.0),
        ("4 × 512, dropout", base, vec![512; 4], 0.1),
    ] {
        let mut cu_seqlens = vec![0u32];
        lengths.iter().for_each(|&length| cu_seqlens.push(cu_seqlens[cu_seqlens.len() - 1] + length as u32));
        let (tokens, hidden) = (lengths.iter().sum::<usize>(), shape.hidden());
        let dropout = Dropout::new(dropout, 7);
        let (qkv, dout) = (values(1, tokens * 3 * hidden)?, values(2, tokens * hidden)?);
        let (mut out, mut lse) = (Arena::zeros(tokens * hidden)?, Arena::zeros(tokens * shape.heads)?);
        let mut dqkv = Arena::zeros(tokens * 3 * hidden)?;
        let (qkv, dout) = (qkv.as_slice(), dout.as_slice());
        let forward = shortest(budget, || {
            kernels.attention(
                shape,
                qkv,
                &cu_seqlens,
                dropout,
                RowsMut::Single(out.as_mut_slice()),
                lse.as_mut_slice(),
            );
        });
        let lse = lse.as_slice();
        let backward = shortest(budget, || {
            kernels.attention_backward(
                shape,
                qkv,
                &cu_seqlens,
                dropout,
                lse,
                dout,
                RowsMut::Single(dqkv.as_mut_slice()),
            );
        });
        // Products of forward: scores and their sums. Of backward: scores again and four gradients.
        let product = lengths.iter().map(|l| 2 * l * l * hidden).sum::<usize>() as f64;
        let figure = |time: f64, products: f64| format!("{:.0} ({:.0})", time * 1e6, products * product / time / 1e9);
        let (forward_text, backward_text) = (figure(forward, 2.0), figure(backward, 5.0));
        println!("{name:34}{tokens:>10}{forward_text:>18}{backward_text:>18}{:>10.0}", (forward + backward) * 1e6);
    }
    Ok(())
}
