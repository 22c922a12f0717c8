//! Attention of first tokens against its scalar twin, that against the projected way, and what neighbours and threads must
//! not change.

use proptest::prelude::*;

use super::*;
use crate::reference;
use crate::testing::{close, isas, random};

/// One layer's operands.
#[derive(Clone)]
struct Case {
    shape: Heads,
    cu_seqlens: Vec<u32>,
    dropout: Option<Dropout>,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    dout: Vec<f32>,
    /// What the gradients are added to: of input, weight and bias.
    before: [Vec<f32>; 3],
    accumulate: bool,
}

/// `out`, `dx`, `dW`, `db`.
type Results = [Vec<f32>; 4];

impl Case {
    fn new(shape: Heads, lengths: &[usize], dropout: f32, seed: u64) -> Self {
        let width = shape.hidden();
        let mut cu_seqlens = vec![0u32];
        lengths.iter().for_each(|&length| cu_seqlens.push(cu_seqlens[cu_seqlens.len() - 1] + length as u32));
        let tokens = lengths.iter().sum::<usize>();
        Self {
            shape,
            cu_seqlens,
            dropout: Dropout::new(dropout, seed),
            x: random(seed, tokens * width),
            weight: random(seed ^ 1, 3 * width * width),
            bias: random(seed ^ 2, 3 * width),
            dout: random(seed ^ 3, lengths.len() * width),
            before: [
                random(seed ^ 4, tokens * width),
                random(seed ^ 5, 3 * width * width),
                random(seed ^ 6, 3 * width),
            ],
            accumulate: seed.is_multiple_of(2),
        }
    }

    fn layer(&self) -> FirstAttention<'_> {
        let Self { shape, cu_seqlens, dropout, x, weight, bias, .. } = self;
        FirstAttention { shape: *shape, x, cu_seqlens, weight, bias, dropout: *dropout }
    }

    /// The results of both passes, `backward` taking `dx` and where the other gradients go.
    fn run(
        &self,
        forward: impl FnOnce(&mut [f32]),
        backward: impl FnOnce(&mut [f32], LinearGradient<'_>) -> f64,
    ) -> Results {
        let mut out = vec![f32::NAN; self.dout.len()];
        forward(&mut out);
        let [mut dx, mut dweight, mut dbias] = self.before.clone();
        let gradient = LinearGradient { weight: &mut dweight, bias: &mut dbias, accumulate: self.accumulate };
        let squares = backward(&mut dx, gradient);
        let want = reference::sum_of_squares(&dweight);
        assert!((squares - want).abs() <= 1e-5 * want, "{squares} {want}");
        [out, dx, dweight, dbias]
    }

    fn fast(&self, isa: Isa) -> Results {
        let scratch =
            vec![f32::NAN; self.shape.first_scratch(self.x.len() / self.shape.hidden(), self.layer().sequences())];
        let scratch = std::cell::RefCell::new(scratch);
        self.run(
            |out| attention_first(isa, self.layer(), &mut scratch.borrow_mut(), out),
            |dx, to| attention_first_backward(isa, self.layer(), &mut scratch.borrow_mut(), &self.dout, Some(dx), to),
        )
    }

    fn scalar(&self) -> Results {
        self.run(
            |out| reference::attention_first(self.layer(), out),
            |dx, gradient| reference::attention_first_backward(self.layer(), &self.dout, Some(dx), gradient),
        )
    }

    /// By way of queries, keys and values of every token.
    fn projected(&self) -> Results {
        let Self { shape, cu_seqlens, dropout, .. } = self;
        let (width, tokens) = (shape.hidden(), self.x.len() / shape.hidden());
        let x = Matrix::new(&self.x, tokens, width);
        let weight = Matrix::new(&self.weight, 3 * width, width);
        let mut qkv = self.bias.repeat(tokens);
        reference::gemm(x, weight.transposed(), &mut qkv, true);
        self.run(
            |out| {
                let (mut all, mut lse) = (vec![0.0; self.x.len()], vec![0.0; tokens * shape.heads]);
                reference::attention(*shape, &qkv, cu_seqlens, *dropout, &mut all, &mut lse);
                gather_rows(&all, &cu_seqlens[..self.layer().sequences()], width, out);
            },
            |dx, gradient| {
                let (mut dout, mut dqkv) = (vec![0.0; self.x.len()], vec![0.0; qkv.len()]);
                crate::embedding::scatter_rows(&self.dout, &cu_seqlens[..self.layer().sequences()], width, &mut dout);
                reference::attention_backward(*shape, &qkv, cu_seqlens, *dropout, &dout, &mut dqkv);
                reference::add_column_sums(&dqkv, gradient.bias);
                let dqkv = Matrix::new(&dqkv, tokens, 3 * width);
                reference::gemm(dqkv, weight, dx, true);
                reference::gemm(dqkv.transposed(), x, gradient.weight, gradient.accumulate);
                reference::sum_of_squares(gradient.weight)
            },
        )
    }

    fn agrees_with_the_scalar_twin(&self) -> Result<(), TestCaseError> {
        let want = self.scalar();
        for isa in isas() {
            for (got, want) in self.fast(isa).iter().zip(&want) {
                close(got, want, 1e-4)?;
            }
        }
        Ok(())
    }
}

/// Arguments of [`Case::new`].
fn cases(longest: usize, widest: usize) -> impl Strategy<Value = (Heads, Vec<usize>, f32, u64)> {
    let shape = (1usize..5, 1..widest).prop_map(|(heads, head_dim)| Heads { heads, head_dim });
    let lengths = prop::collection::vec(1..longest, 1..6);
    (shape, lengths, prop_oneof![Just(0.0f32), Just(0.25)], any::<u64>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn every_isa_agrees_with_the_scalar_twin((shape, lengths, dropout, seed) in cases(30, 20)) {
        Case::new(shape, &lengths, dropout, seed).agrees_with_the_scalar_twin()?;
    }

    #[test]
    fn the_scalar_twin_agrees_with_attention_over_keys_and_values_of_every_token(
        (shape, lengths, dropout, seed) in cases(12, 12),
    ) {
        let case = Case::new(shape, &lengths, dropout, seed);
        let (got, want) = (case.scalar(), case.projected());
        for (got, want) in got.iter().zip(&want) {
            close(got, want, 1e-5)?;
        }
        let width = case.shape.hidden();
        prop_assert_eq!(&got[3][width..2 * width], &case.before[2][width..2 * width], "a bias of keys has no gradient");
    }
}

#[test]
fn wide_layers_many_heads_and_long_sequences_agree_too() {
    for (shape, lengths) in [
        (Heads { heads: 3, head_dim: 32 }, &[1, 300, 2][..]),
        (Heads { heads: 12, head_dim: 16 }, &[17, 1, 40, 3]),
        (Heads { heads: 16, head_dim: 3 }, &[5, 20]),
        (Heads { heads: 33, head_dim: 2 }, &[1, 65, 9]),
    ] {
        for dropout in [0.0, 0.3] {
            Case::new(shape, lengths, dropout, 1).agrees_with_the_scalar_twin().unwrap();
        }
    }
}

#[test]
fn scores_far_from_zero_do_not_overflow() {
    let mut case = Case::new(Heads { heads: 2, head_dim: 16 }, &[9, 20], 0.1, 11);
    case.x.iter_mut().for_each(|x| *x *= 12.0);
    let want = case.scalar();
    for isa in isas() {
        for (got, want) in case.fast(isa).iter().zip(&want) {
            close(got, want, 1e-3).unwrap();
        }
    }
}

#[test]
fn without_a_gradient_of_the_input_the_others_have_the_same_bits() {
    let case = Case::new(Heads { heads: 3, head_dim: 8 }, &[4, 9, 1], 0.2, 6);
    for isa in isas() {
        let [_, _, dweight, dbias] = case.fast(isa);
        let mut scratch = vec![f32::NAN; case.shape.first_scratch(14, 3)];
        attention_first(isa, case.layer(), &mut scratch, &mut vec![0.0; case.dout.len()]);
        let [_, mut weight, mut bias] = case.before.clone();
        let gradient = LinearGradient { weight: &mut weight, bias: &mut bias, accumulate: case.accumulate };
        attention_first_backward(isa, case.layer(), &mut scratch, &case.dout, None, gradient);
        assert!(weight == dweight && bias == dbias);
    }
}

#[test]
fn a_sequence_has_the_same_bits_alone_and_beside_others_and_on_any_number_of_threads() {
    // No dropout: its streams go by the place in the batch.
    let shape = Heads { heads: 2, head_dim: 24 };
    let (width, tokens, lengths) = (shape.hidden(), 17..50, [17, 33, 20, 5, 6]);
    let batch = Case::new(shape, &lengths, 0.0, 1);
    let mut alone = Case { cu_seqlens: vec![0, 33], dout: batch.dout[width..2 * width].to_vec(), ..batch.clone() };
    let rows = tokens.start * width..tokens.end * width;
    alone.x = batch.x[rows.clone()].to_vec();
    alone.before[0] = batch.before[0][rows.clone()].to_vec();
    for isa in isas() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| batch.fast(isa))
        };
        let many = on(3);
        assert_eq!(on(1), many);
        let [out, dx, ..] = alone.fast(isa);
        assert_eq!(out, many[0][width..2 * width]);
        assert_eq!(dx, many[1][rows.clone()]);
    }
}
