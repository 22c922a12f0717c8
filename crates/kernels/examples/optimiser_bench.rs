//! Speed of the optimiser's passes over BERT-base, next to that of copying memory.
//!
//! `cargo run --release -p gyeol-kernels --example optimiser_bench`

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::Instant;

use gyeol_kernels::{AdamSlices, AdamStep, Arena, Fast, Isa, Kernels, LazyRows, Linear, RowSlices, Span};
use rayon::prelude::*;

/// The linear layers of one of the twelve layers: query, key and value together, attention output, feed-forward.
const LAYER: [Linear; 4] = [
    Linear { inputs: 768, outputs: 2304 },
    Linear { inputs: 768, outputs: 768 },
    Linear { inputs: 768, outputs: 3072 },
    Linear { inputs: 3072, outputs: 768 },
];
const LAYERS: usize = 12;

/// The table of words.
const ROWS: usize = 32_000;
const WIDTH: usize = 768;
/// Rows of it a step looks up.
const LOOKED_UP: usize = 300;
/// Steps one timing takes.
const STEPS: usize = 64;

/// Weights, gradients, both moments, and the packed copies.
struct State {
    w: Arena,
    g: Arena,
    m: Arena,
    v: Arena,
    forward: Arena<u32>,
    backward: Arena<u32>,
}

impl State {
    fn new(shapes: &[Linear]) -> std::io::Result<Self> {
        let len = shapes.iter().map(|shape| shape.inputs * shape.outputs).sum();
        let [mut w, mut g, mut m, mut v] =
            [Arena::zeros(len)?, Arena::zeros(len)?, Arena::zeros(len)?, Arena::zeros(len)?];
        for (arena, value) in [(&mut w, 0.05), (&mut g, 1e-3), (&mut m, 1e-4), (&mut v, 1e-7)] {
            arena.as_mut_slice().fill(value);
        }
        let forward = Arena::zeros(shapes.iter().map(|shape| shape.forward_words()).sum())?;
        let backward = Arena::zeros(shapes.iter().map(|shape| shape.backward_words()).sum())?;
        Ok(Self { w, g, m, v, forward, backward })
    }

    /// The operands of each layer in turn.
    fn each(&mut self, shapes: &[Linear], mut work: impl FnMut(Linear, AdamSlices<'_>, &mut [u32], &mut [u32])) {
        let [mut at, mut forward, mut backward] = [0; 3];
        for &shape in shapes {
            let weight = Span::new(at, shape.inputs * shape.outputs);
            let state = AdamSlices {
                weights: self.w.view_mut(weight),
                gradients: self.g.view(weight),
                first: self.m.view_mut(weight),
                second: self.v.view_mut(weight),
            };
            let of_forward = self.forward.view_mut(Span::new(forward, shape.forward_words()));
            let of_backward = self.backward.view_mut(Span::new(backward, shape.backward_words()));
            work(shape, state, of_forward, of_backward);
            at += weight.len;
            forward += shape.forward_words();
            backward += shape.backward_words();
        }
    }
}

fn step(number: u64) -> AdamStep {
    AdamStep {
        learning_rate: 2e-5,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.0,
        step: number,
        gradient_scale: 1.0,
    }
}

/// Shortest of several timings: the machine's own speed, with the least of its other work.
fn seconds(mut work: impl FnMut()) -> f64 {
    work();
    let times = (0..12).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

fn report(name: &str, seconds: f64, bytes: usize, copy: f64) {
    let speed = bytes as f64 / seconds / 1e9;
    println!("{name:42} {:7.2} ms  {speed:5.1} GB/s  {:3.0} % of copying", seconds * 1e3, 100.0 * speed / copy);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let isa = Isa::detect()?;
    let kernels = Fast::new(isa);
    println!("{} on {} threads", isa.name(), rayon::current_num_threads());
    let shapes: Vec<Linear> = LAYER.into_iter().cycle().take(LAYERS * LAYER.len()).collect();
    let mut state = State::new(&shapes)?;
    let len = state.w.len();

    let copied = seconds(|| {
        let from = state.w.as_slice().par_chunks(1 << 14);
        state.v.as_mut_slice().par_chunks_mut(1 << 14).zip(from).for_each(|(to, from)| to.copy_from_slice(from));
    });
    state.v.as_mut_slice().fill(1e-7);
    let copy = (8 * len) as f64 / copied / 1e9;
    report("copy of the weights", copied, 8 * len, copy);
    let plain = seconds(|| {
        let State { w, g, m, v, .. } = &mut state;
        kernels.adamw(step(9), w.as_mut_slice(), g.as_slice(), m.as_mut_slice(), v.as_mut_slice());
    });
    report("AdamW", plain, 28 * len, copy);
    let norm = seconds(|| assert!(kernels.sum_of_squares(state.g.as_slice()) > 0.0));
    report("sum of squares", norm, 4 * len, copy);
    let pack = seconds(|| {
        state.each(&shapes, |shape, s, forward, backward| kernels.pack(shape, s.weights, forward, backward));
    });
    report("packing in both orders", pack, 8 * len, copy);
    let fused = seconds(|| {
        state.each(&shapes, |shape, s, forward, backward| kernels.adamw_packed(step(9), shape, s, forward, backward));
    });
    report("AdamW with packing", fused, 32 * len, copy);

    drop(state);
    let table = [Linear { inputs: WIDTH, outputs: ROWS }];
    for (name, [first, second]) in [("all with moments", [1e-4, 1e-7]), ("only once seen", [0.0, 0.0])] {
        let mut state = State::new(&table)?;
        let State { w, g, m, v, .. } = &mut state;
        let [w, g, m, v] = [w, g, m, v].map(Arena::as_mut_slice);
        m.fill(first);
        v.fill(second);
        g.fill(0.0);
        let bytes = 28 * w.len();
        let eager = seconds(|| kernels.adamw(step(9), w, g, m, v));
        report(&format!("every row of {ROWS}, {name}"), eager, bytes, copy);
        let (mut rows, mut number) = (LazyRows::new(ROWS, WIDTH), 0);
        let lazy = seconds(|| {
            for _ in 0..STEPS {
                number += 1;
                // As words are: most of a batch is common, the rest is spread over the vocabulary.
                let ids: Vec<u32> = (0..LOOKED_UP as u64)
                    .map(|i| ((i * i * i / 900 + i / 150 * number * 7919) % ROWS as u64) as u32)
                    .collect();
                kernels.catch_up(&mut rows, Some(&ids), RowSlices { weights: w, first: m, second: v });
                rows.touch(&ids);
                for &id in rows.touched() {
                    g[id as usize * WIDTH..][..WIDTH].fill(1e-3);
                }
                let table = RowSlices { weights: w, first: m, second: v };
                kernels.adamw_rows(step(number), &mut rows, table, g);
            }
        });
        report("    lazily, a step", lazy / STEPS as f64, bytes, copy);
        let settle = seconds(|| {
            kernels.adamw_rows(step(number), &mut rows, RowSlices { weights: w, first: m, second: v }, g);
            kernels.catch_up(&mut rows, None, RowSlices { weights: w, first: m, second: v });
        });
        report("    settling after each", settle, bytes, copy);
    }
    Ok(())
}
