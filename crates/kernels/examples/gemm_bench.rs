//! Speed of the matrix products of a training step, and their share of a loop on registers alone.
//!
//! `cargo run --release -p gyeol-kernels --example gemm_bench [bert-base|minilm|mini] [TOKENS] [f32|bf16]`
//!
//! A step has twelve products: four linear layers, each forward, for the gradient of its input and for that of its weight.
//! With bf16, products where only inference is meant are timed too, apart from the median share, which is that of a step.
//! The last line is a JSON document of all figures. GFLOP/s throughout; of several timings the shortest counts. Every
//! multiplication of a product is counted, also those that products of halves or quarters save.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::time::Instant;

use gyeol_kernels::{
    Arena, Fast, Isa, Kernels, Linear, LinearGradient, Operands, PackedWeight, Rows, RowsMut, Texts, Weight, peak,
};

/// How long one product is repeated.
const SECONDS: f64 = 0.4;

/// The pass that is not of a step.
const INFERENCE: &str = "inference";

/// The speed of one product.
struct Measured {
    layer: &'static str,
    pass: &'static str,
    gflops: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize, default: &str| arguments.get(i).map_or(default, String::as_str).to_owned();
    let (size, tokens) = (argument(0, "bert-base"), argument(1, "544").parse()?);
    let (hidden, intermediate) = match size.as_str() {
        "bert-base" => (768, 3072),
        "minilm" => (384, 1536),
        "mini" => (256, 1024),
        other => return Err(format!("{other}: no such size; bert-base, minilm or mini").into()),
    };
    let isa = Isa::detect()?;
    let operands = match argument(2, if isa.has_bf16() { "bf16" } else { "f32" }).as_str() {
        "f32" => Operands::F32,
        "bf16" if isa.has_bf16() => Operands::Bf16,
        other => {
            return Err(format!("{other}: no such products on {}; f32 or, with avx512bf16, bf16", isa.name()).into());
        }
    };
    let clock = Instant::now();
    let measure_peak = || peak(isa, operands, || clock.elapsed().as_secs_f64()).unwrap_or(f64::NAN) / 1e9;
    let layers = [
        ("qkv", hidden, 3 * hidden),
        ("attention output", hidden, hidden),
        ("ffn up", hidden, intermediate),
        ("ffn down", intermediate, hidden),
    ];
    let before = measure_peak();
    let mut measured = Vec::new();
    for (layer, inputs, outputs) in layers {
        let speeds = products(&Fast::new(isa), operands, Linear { inputs, outputs }, tokens)?;
        measured.extend(speeds.into_iter().map(|(pass, gflops)| Measured { layer, pass, gflops }));
    }
    // The loop runs before and after the products, in case the machine was disturbed meanwhile.
    report(&size, tokens, isa, operands, before.max(measure_peak()), &measured);
    Ok(())
}

/// The products of one linear layer over `tokens` rows, all of them in arenas, as in a step.
fn products(
    kernels: &Fast,
    operands: Operands,
    shape: Linear,
    tokens: usize,
) -> Result<Vec<(&'static str, f64)>, Box<dyn Error>> {
    let Linear { inputs, outputs } = shape;
    let (x, dy, w) = (numbers(tokens * inputs)?, numbers(tokens * outputs)?, numbers(outputs * inputs)?);
    let (mut dx, mut y, mut dw) = (numbers(tokens * inputs)?, numbers(tokens * outputs)?, numbers(outputs * inputs)?);
    let (x, dy, w) = (x.as_slice(), dy.as_slice(), w.as_slice());
    let (bias, mut db) = (vec![0.0; outputs], vec![0.0; outputs]);
    let packs = operands == Operands::Bf16;
    let mut forward = Arena::zeros(if packs { shape.forward_words() } else { 0 })?;
    let mut backward = Arena::zeros(if packs { shape.backward_words() } else { 0 })?;
    if packs {
        kernels.pack(shape, w, forward.as_mut_slice(), backward.as_mut_slice());
    }
    let copies = PackedWeight { forward: forward.as_slice(), backward: backward.as_slice() };
    let weight = Weight { values: w, packed: packs.then_some(copies) };
    let texts = [0, tokens as u32];
    let mut forward_time = |weight| {
        seconds(|| {
            let x = Texts { rows: Rows::Single(x), starts: &texts };
            kernels.linear(shape, x, weight, &bias, RowsMut::Single(y.as_mut_slice()));
        })
    };
    let mut times = vec![
        ("forward", forward_time(weight)),
        (
            "input gradient",
            seconds(|| kernels.linear_backward_input(shape, Rows::Single(dy), weight, dx.as_mut_slice(), false)),
        ),
        (
            "weight gradient",
            seconds(|| {
                let gradient = LinearGradient { weight: dw.as_mut_slice(), bias: &mut db, accumulate: false };
                kernels.linear_backward_weight(shape, operands, Rows::Single(dy), Rows::Single(x), gradient);
            }),
        ),
    ];
    if packs {
        let mut words = Arena::zeros(shape.inference_words())?;
        kernels.pack(shape, w, words.as_mut_slice(), &mut []);
        let packed = Some(PackedWeight { forward: words.as_slice(), backward: &[] });
        times.push((INFERENCE, forward_time(Weight { values: w, packed })));
    }
    let gflops = |time| (2 * tokens * inputs * outputs) as f64 / time / 1e9;
    Ok(times.into_iter().map(|(pass, time)| (pass, gflops(time))).collect())
}

/// Numbers between -1 and 1 without a pattern: a processor may save power, and so gain speed, on equal ones.
fn numbers(len: usize) -> std::io::Result<Arena> {
    let mut state = 1_u32;
    let mut numbers = Arena::zeros(len)?;
    for number in numbers.as_mut_slice() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *number = state as i32 as f32 / i32::MAX as f32;
    }
    Ok(numbers)
}

/// The shortest of several timings: the machine's own speed, with the least of its other work.
fn seconds(mut work: impl FnMut()) -> f64 {
    work();
    let mut best = f64::INFINITY;
    let started = Instant::now();
    while started.elapsed().as_secs_f64() < SECONDS {
        let t = Instant::now();
        work();
        best = best.min(t.elapsed().as_secs_f64());
    }
    best
}

fn report(size: &str, tokens: usize, isa: Isa, operands: Operands, peak: f64, measured: &[Measured]) {
    let (threads, isa, operands) = (rayon::current_num_threads(), isa.name(), operands.name());
    println!("{size}, {tokens} tokens, {operands} on {isa}, {threads} threads; register-only peak {peak:.0} GFLOP/s");
    for Measured { layer, pass, gflops } in measured {
        println!("{layer:18} {pass:16} {gflops:7.0} GFLOP/s  {:3.0} %", 100.0 * gflops / peak);
    }
    let of_a_step = measured.iter().filter(|product| product.pass != INFERENCE);
    let mut shares: Vec<f64> = of_a_step.map(|product| product.gflops / peak).collect();
    shares.sort_by(f64::total_cmp);
    let middle = shares.len() / 2;
    let median = (shares[middle - 1] + shares[middle]) / 2.0;
    println!("median share of the peak: {:.1} %", 100.0 * median);
    let rows: Vec<String> = measured
        .iter()
        .map(|Measured { layer, pass, gflops }| {
            format!("{{\"layer\":\"{layer}\",\"pass\":\"{pass}\",\"gflops\":{}}}", number(*gflops))
        })
        .collect();
    println!(
        "{{\"size\":\"{size}\",\"tokens\":{tokens},\"isa\":\"{isa}\",\"precision\":\"{operands}\",\"threads\":{threads},\
         \"peak_gflops\":{},\"median_share\":{},\"products\":[{}]}}",
        number(peak),
        number(median),
        rows.join(",")
    );
}

/// As JSON writes it, which has no word for what is not a number.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "null".to_owned() }
}
