//! Products of halves against their scalar twins, and that no text depends on another.

use proptest::prelude::*;

use super::*;
use crate::gemm::gemm_strassen;
use crate::isa::Operands;
use crate::kernels::Linear;
use crate::reference;
use crate::testing::{close, isas, random, texts};

/// A weight packed in the two orders of training.
fn packed(shape: Linear, w: &[f32]) -> [Vec<u32>; 2] {
    let [mut forward, mut backward] = [shape.forward_words(), shape.backward_words()].map(|words| vec![0; words]);
    crate::packed::pack(Isa::Portable, shape, w, &mut forward, &mut backward);
    [forward, backward]
}

/// `x·Wᵀ + b`.
fn forward(isa: Isa, shape: Linear, x: &[f32], starts: &[u32], w: &[f32], bias: &[f32]) -> Vec<f32> {
    let x = Matrix::new(x, x.len() / shape.inputs, shape.inputs);
    let mut c = vec![f32::NAN; x.rows * shape.outputs];
    gemm_strassen(isa, x, starts, &packed(shape, w)[0], shape.outputs, &mut c, Epilogue::Bias(bias));
    c
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn agree_with_the_scalar_twin(
        tokens in prop_oneof![1usize..60, Just(131)],
        (outputs, inputs) in prop_oneof![Just((384, 448)), Just((448, 384)), Just((384, 1536))],
        alone: bool, seed: u64,
    ) {
        let shape = Linear { inputs, outputs };
        let (x, w) = (random(seed, tokens * inputs), random(seed ^ 1, inputs * outputs));
        let bias = random(seed ^ 2, outputs);
        let starts = if alone { Vec::new() } else { texts(seed, tokens) };
        let [x_rounded, w_rounded] = reference::rounded(Operands::Bf16, [&x, &w]);
        let mut want = bias.repeat(tokens);
        let a = Matrix::new(&x_rounded, tokens, inputs);
        let b = Matrix::new(&w_rounded, outputs, inputs).transposed();
        reference::gemm_strassen(a, &starts, b, &mut want);
        for isa in isas().filter(|isa| isa.has_bf16()) {
            close(&forward(isa, shape, &x, &starts, &w, &bias), &want, 2e-5)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn gradients_of_inputs_agree_with_the_scalar_twin(
        tokens in prop_oneof![0usize..60, Just(131)],
        (outputs, inputs) in prop_oneof![Just((384, 448)), Just((448, 384)), Just((1536, 384))],
        accumulate: bool, seed: u64,
    ) {
        let shape = Linear { inputs, outputs };
        let (dy, w) = (random(seed, tokens * outputs), random(seed ^ 1, inputs * outputs));
        let start = random(seed ^ 2, tokens * inputs);
        let starts = [0, tokens as u32];
        let [dy_rounded, w_rounded] = reference::rounded(Operands::Bf16, [&dy, &w]);
        let mut want = if accumulate { start.clone() } else { vec![0.0; start.len()] };
        let b = Matrix::new(&w_rounded, outputs, inputs);
        reference::gemm_strassen(Matrix::new(&dy_rounded, tokens, outputs), &starts, b, &mut want);
        let [_, packed] = packed(shape, &w);
        for isa in isas().filter(|isa| isa.has_bf16()) {
            let mut c = start.clone();
            let epilogue = if accumulate { Epilogue::Accumulate } else { Epilogue::None };
            gemm_strassen(isa, Matrix::new(&dy, tokens, outputs), &starts, &packed, inputs, &mut c, epilogue);
            close(&c, &want, 2e-5)?;
        }
    }
}

const SHAPE: Linear = Linear { inputs: 768, outputs: 384 };

#[test]
fn a_text_has_the_bits_it_has_alone_whatever_is_beside_it_and_however_many_threads_compute() {
    let starts = texts(3, 700);
    let (x, w) = (random(1, 700 * SHAPE.inputs), random(2, SHAPE.inputs * SHAPE.outputs));
    for isa in isas().filter(|isa| isa.has_bf16()) {
        let product = |x: &[f32], starts: &[u32]| forward(isa, SHAPE, x, starts, &w, &[0.5; SHAPE.outputs]);
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let all = pool(3).install(|| product(&x, &starts));
        assert!(all == pool(1).install(|| product(&x, &starts)), "one thread");
        for text in starts.windows(2) {
            let [start, end] = [text[0], text[1]].map(|row| row as usize);
            let alone = product(&x[start * SHAPE.inputs..end * SHAPE.inputs], &[0, text[1] - text[0]]);
            assert!(alone == all[start * SHAPE.outputs..end * SHAPE.outputs], "rows {start}..{end}");
        }
    }
}

#[test]
fn the_error_is_about_two_and_a_half_times_that_of_rounded_operands() {
    let tokens = 40;
    let (x, w) = (random(1, tokens * SHAPE.inputs), random(2, SHAPE.inputs * SHAPE.outputs));
    let [x_rounded, w_rounded] = reference::rounded(Operands::Bf16, [&x, &w]);
    let product = |x: &[f32], w: &[f32]| {
        let mut c = vec![0.0; tokens * SHAPE.outputs];
        let b = Matrix::new(w, SHAPE.outputs, SHAPE.inputs).transposed();
        reference::gemm(Matrix::new(x, tokens, SHAPE.inputs), b, &mut c, false);
        c
    };
    let exact = product(&x, &w);
    let error = |c: &[f32]| exact.iter().zip(c).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    let rounded = error(&product(&x_rounded, &w_rounded));
    for isa in isas().filter(|isa| isa.has_bf16()) {
        let halves = error(&forward(isa, SHAPE, &x, &[0, tokens as u32], &w, &[0.0; SHAPE.outputs]));
        assert!((2.2..2.5).contains(&(halves / rounded)), "{} times", halves / rounded);
    }
}

#[test]
fn rows_are_paired_within_texts() {
    assert_eq!(pair_up(&[0, 1, 3, 6, 10], 10), [vec![1, 3, 6, 8], vec![0, 5]]);
    assert_eq!(pair_up(&[], 2), [vec![], vec![0, 1]]);
}
