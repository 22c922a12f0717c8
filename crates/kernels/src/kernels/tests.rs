//! What every set of kernels refuses, and what it makes of no rows.

use super::*;
use crate::testing::{isas, refusal};

/// The scalar twins, and the fast kernels of every instruction set this processor has.
fn sets() -> impl Iterator<Item = Box<dyn Kernels>> {
    let fast = isas().map(|isa| Box::new(Fast::new(isa)) as Box<dyn Kernels>);
    fast.chain([Box::new(Scalar) as Box<dyn Kernels>])
}

/// A call with a slice of the wrong length.
type Call = fn(&dyn Kernels);

#[test]
fn slices_of_the_wrong_length_are_refused() {
    let calls: [(&str, Call); 14] = [
        ("one bias an output", |k| {
            let to = LinearGradient { weight: &mut [0.0; 6], bias: &mut [0.0; 2], accumulate: false };
            let (dy, x) = (Rows::Single(&[1.0; 6]), Rows::Single(&[1.0; 4]));
            k.linear_backward_weight(Linear { inputs: 2, outputs: 3 }, Operands::F32, dy, x, to);
        }),
        ("a row an index", |k| k.gather_rows(&[1.0; 6], &[0], 2, &mut [0.0; 4])),
        ("a row an index", |k| k.scatter_rows(&[1.0; 4], &[0], 2, &mut [0.0; 6])),
        ("whole rows", |k| k.scatter_rows(&[1.0; 2], &[0], 2, &mut [0.0; 5])),
        ("two rows a cosine", |k| k.cosine(&[1.0; 6], 3, &mut [0.0; 2])),
        ("two rows a cosine", |k| k.cosine(&[1.0; 13], 3, &mut [0.0; 2])),
        ("two rows a cosine", |k| k.cosine_backward(&[1.0; 12], 3, &[1.0], &mut [0.0; 12])),
        ("a gradient as large as its value", |k| k.cosine_backward(&[1.0; 6], 3, &[1.0], &mut [0.0; 12])),
        ("a row a token", |k| k.pool(Pool::Max, &[1.0; 10], &[0, 2, 4], 2, &mut [0.0; 4])),
        ("a row a sequence", |k| k.pool(Pool::Mean, &[1.0; 8], &[0, 2, 4], 2, &mut [0.0; 6])),
        ("cumulative lengths increase", |k| k.pool(Pool::Mean, &[1.0; 8], &[0, 4, 4], 2, &mut [0.0; 4])),
        ("cumulative lengths start with 0", |k| k.pool(Pool::Mean, &[1.0; 8], &[1, 4], 2, &mut [0.0; 2])),
        ("a row a sequence", |k| k.pool_backward(Pool::Mean, &[1.0; 8], &[0, 4], &[1.0; 4], 2, &mut [0.0; 8])),
        ("a gradient as large as its value", |k| {
            k.pool_backward(Pool::Max, &[1.0; 8], &[0, 4], &[1.0; 2], 2, &mut [0.0; 10]);
        }),
    ];
    for set in sets() {
        for (i, (want, call)) in calls.into_iter().enumerate() {
            let message = refusal(|| call(&*set));
            assert!(message.contains(want), "call {i}: {message}");
        }
    }
}

#[test]
fn a_shape_beyond_the_address_space_is_refused() {
    let shape = Linear { inputs: usize::MAX, outputs: 1 };
    let weight = Weight { values: &[], packed: Some(PackedWeight { forward: &[], backward: &[] }) };
    for isa in isas().filter(|isa| isa.has_bf16()) {
        let kernels = Fast::new(isa);
        for x in [Rows::Rounded(&[0; 32]), Rows::Single(&[])] {
            let message = refusal(|| kernels.linear(shape, x.into(), weight, &[0.0], RowsMut::Single(&mut [])));
            assert!(message.contains("fits the address space"), "{message}");
        }
    }
}

#[test]
fn results_that_are_kept_in_different_ways_are_refused() {
    let shape = Linear { inputs: 1, outputs: 1 };
    let (one, weight) = (Rows::Single(&[1.0]), Weight { values: &[1.0], packed: None });
    for set in sets() {
        let message = refusal(|| {
            let (before, y) = (Some(RowsMut::Single(&mut [0.0])), RowsMut::Rounded(&mut [0; 32]));
            set.linear_activation(shape, Activation::Relu, one.into(), weight, &[0.0], before, y);
        });
        assert_eq!(message, KEPT_ALIKE);
        let message = refusal(|| {
            let (gradient, y) = (RowsMut::Single(&mut [0.0]), RowsMut::Rounded(&mut [0; 32]));
            set.linear_backward_activation(shape, Activation::Relu, one, weight, one, gradient, y);
        });
        assert_eq!(message, KEPT_ALIKE);
    }
}

#[test]
fn fast_kernels_refuse_operands_in_bfloat16_that_they_do_not_multiply() {
    let shape = Linear { inputs: 1, outputs: 1 };
    let weight = Weight { values: &[1.0], packed: None };
    let (one, rounded) = (Rows::Single(&[1.0]), Rows::Rounded(&[0; 32]));
    let gradient = |isa, operands, x| {
        let to = LinearGradient { weight: &mut [0.0], bias: &mut [0.0], accumulate: false };
        Fast::new(isa).linear_backward_weight(shape, operands, one, x, to);
    };
    for isa in isas() {
        let message =
            refusal(|| Fast::new(isa).linear(shape, rounded.into(), weight, &[0.0], RowsMut::Single(&mut [0.0])));
        assert_eq!(message, "products in single precision take no rounded operands");
        assert_eq!(refusal(|| gradient(isa, Operands::F32, rounded)), message);
        if !isa.has_bf16() {
            let message = refusal(|| gradient(isa, Operands::Bf16, one));
            assert_eq!(message, format!("{} has no products of bfloat16", isa.name()));
        }
    }
}

#[test]
fn no_sequences_have_no_attention_and_no_gradient() {
    let shape = Heads { heads: 2, head_dim: 3 };
    let width = shape.hidden();
    let (weight, bias) = (vec![0.5; 3 * width * width], vec![0.5; 3 * width]);
    let layer = FirstAttention { shape, x: &[], cu_seqlens: &[0], weight: &weight, bias: &bias, dropout: None };
    for set in sets() {
        set.attention(shape, Rows::Single(&[]), &[0], None, RowsMut::Single(&mut []), &mut []);
        set.attention_first(layer, &mut [], &mut []);
        for accumulate in [false, true] {
            let (mut dweight, mut dbias) = (vec![2.0; weight.len()], vec![2.0; bias.len()]);
            let to = LinearGradient { weight: &mut dweight, bias: &mut dbias, accumulate };
            let squares = set.attention_first_backward(layer, &mut [], &[], Some(&mut []), to);
            let left = if accumulate { 2.0 } else { 0.0 };
            assert_eq!((dweight, dbias), (vec![left; weight.len()], vec![2.0; bias.len()]));
            assert_eq!(squares, 4.0 * f64::from(left / 2.0) * weight.len() as f64);
        }
    }
}

#[test]
fn no_rows_have_no_loss() {
    for set in sets() {
        set.cross_entropy(&mut [], &[], 1.0, &mut []);
    }
}
