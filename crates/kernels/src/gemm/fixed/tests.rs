//! Products of whole numbers against their scalar twins, that no row depends on another, and how exact they are.

use proptest::prelude::*;

use super::*;
use crate::gemm::gemm_fixed;
use crate::isa::Operands;
use crate::kernels::Linear;
use crate::reference;
use crate::testing::{isas, random};

fn packed(shape: Linear, w: &[f32]) -> Vec<u32> {
    let mut packed = vec![0; shape.inference_words()];
    crate::packed::pack(Isa::Portable, shape, w, &mut packed, &mut []);
    packed
}

/// `x·Wᵀ + b`.
fn product(isa: Isa, shape: Linear, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut c = vec![f32::NAN; x.len() / shape.inputs * shape.outputs];
    let a = Matrix::new(x, x.len() / shape.inputs, shape.inputs);
    gemm_fixed(isa, a, &packed(shape, w), shape.outputs, &mut c, Epilogue::Bias(bias));
    c
}

fn wanted(shape: Linear, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
    let [x, _] = reference::rounded(Operands::Bf16, [x, &[]]);
    let mut c = bias.repeat(x.len() / shape.inputs);
    reference::gemm_fixed(shape, &x, w, &mut c);
    c
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn have_the_bits_of_the_scalar_twin(
        rows in prop_oneof![0usize..60, Just(131)],
        (outputs, inputs) in prop_oneof![Just((384, 512)), Just((512, 384)), Just((384, 1536))],
        scale in -30i32..30, seed: u64,
    ) {
        let shape = Linear { inputs, outputs };
        let (mut x, w, bias) = (random(seed, rows * inputs), random(seed ^ 1, inputs * outputs), random(seed ^ 2, outputs));
        x.iter_mut().for_each(|x| *x *= 2f32.powi(scale));
        let want = wanted(shape, &x, &w, &bias);
        for isa in isas().filter(|isa| isa.has_bf16()) {
            prop_assert!(product(isa, shape, &x, &w, &bias) == want);
        }
    }
}

const SHAPE: Linear = Linear { inputs: 768, outputs: 384 };

#[test]
fn rows_and_outputs_of_every_size_have_the_bits_of_the_scalar_twin() {
    // The largest sums there are: every operand the same, whose product is that of the norms. Then rows with one large number,
    // rows of nothing, and rows as small and as large as numbers get.
    let row = |i: usize| -> Vec<f32> {
        let mut row = random(i as u64, SHAPE.inputs);
        match i {
            0 => row.fill(1.0),
            1 => row.fill(-0.99),
            2 => row[5] = 300.0,
            3 => row.fill(0.0),
            4 => row.iter_mut().for_each(|x| *x *= 1e-36),
            5 => row.iter_mut().for_each(|x| *x *= 1e36),
            _ => row.iter_mut().for_each(|x| *x *= 1e-20),
        }
        row
    };
    let x: Vec<f32> = (0..7).flat_map(row).collect();
    let mut w = random(9, SHAPE.inputs * SHAPE.outputs);
    for (output, w) in w.chunks_exact_mut(SHAPE.inputs).take(4).enumerate() {
        w.copy_from_slice(&row(output));
    }
    let bias = random(8, SHAPE.outputs);
    let want = wanted(SHAPE, &x, &w, &bias);
    assert!(want.iter().all(|c| c.is_finite()) && want[0] > 700.0);
    for isa in isas().filter(|isa| isa.has_bf16()) {
        assert!(product(isa, SHAPE, &x, &w, &bias) == want);
    }
}

#[test]
fn what_is_not_finite_stays_so() {
    let (mut x, mut w) = (random(1, 3 * SHAPE.inputs), random(2, SHAPE.inputs * SHAPE.outputs));
    x[SHAPE.inputs + 3] = f32::INFINITY;
    w[7 * SHAPE.inputs] = f32::NAN;
    for isa in isas().filter(|isa| isa.has_bf16()) {
        let c = product(isa, SHAPE, &x, &w, &[0.0; SHAPE.outputs]);
        for (i, c) in c.iter().enumerate() {
            assert_eq!(c.is_nan(), i / SHAPE.outputs == 1 || i % SHAPE.outputs == 7, "{i}");
        }
    }
}

#[test]
fn a_row_has_the_bits_it_has_alone_however_many_threads_compute() {
    // More rows than are packed at once.
    let (x, w) = (random(1, 900 * SHAPE.inputs), random(2, SHAPE.inputs * SHAPE.outputs));
    for isa in isas().filter(|isa| isa.has_bf16()) {
        let product = |x: &[f32]| product(isa, SHAPE, x, &w, &[0.5; SHAPE.outputs]);
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let all = pool(3).install(|| product(&x));
        assert!(all == pool(1).install(|| product(&x)), "one thread");
        for rows in [0..1, 47..49, 100..113, 860..900] {
            let alone = product(&x[rows.start * SHAPE.inputs..rows.end * SHAPE.inputs]);
            assert!(alone == all[rows.start * SHAPE.outputs..rows.end * SHAPE.outputs], "rows {rows:?}");
        }
    }
}

#[test]
fn the_error_is_less_than_that_of_operands_in_bfloat16() {
    let rows = 40;
    let (x, w) = (random(1, rows * SHAPE.inputs), random(2, SHAPE.inputs * SHAPE.outputs));
    let [x_rounded, w_rounded] = reference::rounded(Operands::Bf16, [&x, &w]);
    let plain = |x: &[f32], w: &[f32]| {
        let mut c = vec![0.0; rows * SHAPE.outputs];
        let b = Matrix::new(w, SHAPE.outputs, SHAPE.inputs).transposed();
        reference::gemm(Matrix::new(x, rows, SHAPE.inputs), b, &mut c, false);
        c
    };
    let error =
        |exact: &[f32], c: &[f32]| exact.iter().zip(c).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    // What comes of rounding weights alone, then of both operands.
    let fixed = wanted(SHAPE, &x, &w, &[0.0; SHAPE.outputs]);
    let of_weights =
        error(&plain(&x_rounded, &w), &fixed) / error(&plain(&x_rounded, &w), &plain(&x_rounded, &w_rounded));
    assert!(of_weights < 0.3, "{of_weights}");
    let exact = plain(&x, &w);
    let whole = error(&exact, &fixed) / error(&exact, &plain(&x_rounded, &w_rounded));
    assert!(whole < 0.8, "{whole}");
}
