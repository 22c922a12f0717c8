//! Time and speed of one layer's multi-head self-attention, forward and backward, over ragged and dense batches: of queries,
//! keys and values in single precision, and rounded where the processor multiplies bfloat16. Both are timed in turns.
//!
//! `cargo run --release -p gyeol-kernels --example attention_bench [SECONDS]`

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use gyeol_kernels::{Arena, Dropout, Fast, Heads, Isa, Kernels, Rows, RowsMut, halves, halves_mut, rounded_stride};

/// Lengths of 32 short reviews: most a line, some a paragraph; 17 tokens on average.
const REVIEWS: [usize; 32] = [
    5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 16, 16, 17, 18, 19, 20, 22, 24, 28, 33, 41,
    90,
];

/// Values of about the size that activations have, in no order, in memory as the engine has it.
fn values(seed: u32, len: usize) -> std::io::Result<Arena> {
    let (mut values, mut state) = (Arena::zeros(len)?, seed);
    for value in values.as_mut_slice() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
    }
    Ok(values)
}

/// The upper halves of `values`, rows of `width`, as rounded rows.
fn upper_halves(values: &[f32], width: usize) -> std::io::Result<Arena> {
    let stride = rounded_stride(width);
    let mut rounded = Arena::zeros(values.len() / width * stride / 2)?;
    for (row, values) in halves_mut(rounded.as_mut_slice()).chunks_exact_mut(stride).zip(values.chunks_exact(width)) {
        row.iter_mut().zip(values).for_each(|(half, value)| *half = (value.to_bits() >> 16) as u16);
    }
    Ok(rounded)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let budget = Duration::from_secs_f64(std::env::args().nth(1).map_or(Ok(1.0), |n| n.parse())?);
    let isa = Isa::detect()?;
    let kernels = Fast::new(isa);
    println!("{} on {} threads", isa.name(), rayon::current_num_threads());
    println!("{:34}{:8}{:>8}{:>16}{:>16}{:>8}", "µs (GFLOP/s)", "", "tokens", "forward", "backward", "both");
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
        if std::env::args().nth(2).is_some_and(|only| only != name) {
            continue;
        }
        let mut cu_seqlens = vec![0u32];
        lengths.iter().for_each(|&length| cu_seqlens.push(cu_seqlens[cu_seqlens.len() - 1] + length as u32));
        let (tokens, hidden) = (lengths.iter().sum::<usize>(), shape.hidden());
        let dropout = Dropout::new(dropout, 7);
        let (single, dout) = (values(1, tokens * 3 * hidden)?, values(2, tokens * hidden)?);
        let rounded = upper_halves(single.as_slice(), 3 * hidden)?;
        let kinds =
            [("single", Rows::Single(single.as_slice())), ("rounded", Rows::Rounded(halves(rounded.as_slice())))];
        let kinds = if isa.has_bf16() { &kinds[..] } else { &kinds[..1] };
        // What comes out is rounded either way, so that only the operands differ.
        let room = |width: usize| Arena::<f32>::zeros(tokens * rounded_stride(width) / 2);
        let (mut out, mut lse, mut dqkv) = (room(hidden)?, Arena::zeros(tokens * shape.heads)?, room(3 * hidden)?);
        // The shortest of several timings: the machine's own speed, with the least of its other work.
        let (started, mut best) = (Instant::now(), [[f64::INFINITY; 2]; 2]);
        while started.elapsed() < budget {
            for ((_, qkv), best) in kinds.iter().zip(&mut best) {
                let begun = Instant::now();
                let out = RowsMut::Rounded(halves_mut(out.as_mut_slice()));
                kernels.attention(shape, *qkv, &cu_seqlens, dropout, out, lse.as_mut_slice());
                best[0] = best[0].min(begun.elapsed().as_secs_f64());
                let (begun, lse, dout) = (Instant::now(), lse.as_slice(), dout.as_slice());
                let dqkv = RowsMut::Rounded(halves_mut(dqkv.as_mut_slice()));
                kernels.attention_backward(shape, *qkv, &cu_seqlens, dropout, lse, dout, dqkv);
                best[1] = best[1].min(begun.elapsed().as_secs_f64());
            }
        }
        // Products of forward: scores and their sums. Of backward: scores again and four gradients.
        let product = lengths.iter().map(|l| 2 * l * l * hidden).sum::<usize>() as f64;
        let figure = |time: f64, products: f64| format!("{:.0} ({:.0})", time * 1e6, products * product / time / 1e9);
        for ((kind, _), [forward, backward]) in kinds.iter().zip(best) {
            let (both, forward, backward) = (1e6 * (forward + backward), figure(forward, 2.0), figure(backward, 5.0));
            println!("{name:34}{kind:8}{tokens:>8}{forward:>16}{backward:>16}{both:>8.0}");
        }
        if let ([[forward, backward], rounded], [_, _]) = (best, kinds) {
            let both = (forward + backward) / (rounded[0] + rounded[1]);
            let (forward, backward) = (forward / rounded[0], backward / rounded[1]);
            println!("{:34}{:8}{:8}{forward:>16.2}{backward:>16.2}{both:>8.2}", "", "times", "");
        }
    }
    Ok(())
}
