//! Attention against its scalar twin, and what its tasks and blocks must not change.

use proptest::prelude::*;

use super::*;
use crate::packed::round_to_bf16;
use crate::reference;
use crate::rounded::rounded_stride;
use crate::testing::{close, isas, random, with_scale};

/// One layer's operands.
struct Case {
    shape: Heads,
    cu_seqlens: Vec<u32>,
    dropout: Option<Dropout>,
    qkv: Vec<f32>,
    dout: Vec<f32>,
}

/// `out`, `lse` and `dqkv`.
type Results = [Vec<f32>; 3];

impl Case {
    fn new(shape: Heads, lengths: &[usize], dropout: f32, seed: u64) -> Self {
        let mut cu_seqlens = vec![0u32];
        lengths.iter().for_each(|&length| cu_seqlens.push(cu_seqlens[cu_seqlens.len() - 1] + length as u32));
        let elements = lengths.iter().sum::<usize>() * shape.hidden();
        let (qkv, dout) = (random(seed, 3 * elements), random(seed ^ 1, elements));
        Self { shape, cu_seqlens, dropout: Dropout::new(dropout, seed), qkv, dout }
    }

    fn zeros(&self) -> Results {
        let sums = self.dout.len() / self.shape.head_dim;
        [vec![0.0; self.dout.len()], vec![0.0; sums], vec![0.0; self.qkv.len()]]
    }

    fn run(&self, isa: Isa) -> Results {
        self.run_of(isa, Rows::Single(&self.qkv))
    }

    /// What `run` gives of the queries, keys and values as products of bfloat16 leave them.
    fn run_of_rounded(&self, isa: Isa) -> Results {
        let width = 3 * self.shape.hidden();
        let mut halves = vec![0xffff; self.qkv.len() / width * rounded_stride(width)];
        RowsMut::Rounded(&mut halves).store(&self.qkv, width);
        self.run_of(isa, Rows::Rounded(&halves))
    }

    fn run_of(&self, isa: Isa, qkv: Rows<'_>) -> Results {
        let Case { shape, cu_seqlens, dropout, dout, .. } = self;
        let [mut out, mut lse, mut dqkv] = self.zeros();
        // What stood there before does not matter.
        dqkv.fill(f32::NAN);
        attention(isa, *shape, qkv, cu_seqlens, *dropout, RowsMut::Single(&mut out), &mut lse);
        let gradient = RowsMut::Single(&mut dqkv);
        attention_backward(isa, *shape, qkv, cu_seqlens, *dropout, &lse, dout, gradient);
        [out, lse, dqkv]
    }

    fn reference(&self) -> Results {
        let Case { shape, cu_seqlens, dropout, qkv, dout } = self;
        let [mut out, mut lse, mut dqkv] = self.zeros();
        reference::attention(*shape, qkv, cu_seqlens, *dropout, &mut out, &mut lse);
        reference::attention_backward(*shape, qkv, cu_seqlens, *dropout, dout, &mut dqkv);
        [out, lse, dqkv]
    }

    /// What `run` gives of `out` and `dqkv`, as it comes out where products of bfloat16 read it.
    fn run_rounded(&self, isa: Isa) -> [Vec<f32>; 2] {
        let Case { shape, cu_seqlens, dropout, qkv, dout } = self;
        let [_, mut lse, _] = self.zeros();
        let tokens = dout.len() / shape.hidden();
        let room = |width| vec![0xffff; tokens * rounded_stride(width)];
        let (mut out, mut dqkv) = (room(shape.hidden()), room(3 * shape.hidden()));
        let (to_out, to_dqkv, qkv) = (RowsMut::Rounded(&mut out), RowsMut::Rounded(&mut dqkv), Rows::Single(qkv));
        attention(isa, *shape, qkv, cu_seqlens, *dropout, to_out, &mut lse);
        attention_backward(isa, *shape, qkv, cu_seqlens, *dropout, &lse, dout, to_dqkv);
        for (halves, width) in [(&out, shape.hidden()), (&dqkv, 3 * shape.hidden())] {
            let mut rows = halves.chunks_exact(rounded_stride(width));
            assert!(width % 2 == 0 || rows.all(|row| row[width] == 0), "an odd row is followed by a zero");
        }
        [Rows::Rounded(&out).to_single(shape.hidden()), Rows::Rounded(&dqkv).to_single(3 * shape.hidden())]
    }

    fn agrees_with_the_reference(&self) -> Result<(), TestCaseError> {
        let want = self.reference();
        for isa in isas() {
            let got = self.run(isa);
            for (got, want) in got.iter().zip(&want) {
                close(got, want, 3e-5)?;
            }
            let [out, _, dqkv] = got.map(|values| values.into_iter().map(round_to_bf16).collect::<Vec<f32>>());
            prop_assert_eq!(self.run_rounded(isa), [out, dqkv]);
        }
        Ok(())
    }

    fn agrees_with_the_reference_in_bfloat16(&self) -> Result<(), TestCaseError> {
        let qkv = self.qkv.iter().map(|&x| round_to_bf16(x)).collect();
        let want = Case { qkv, cu_seqlens: self.cu_seqlens.clone(), dout: self.dout.clone(), ..*self }.reference();
        for isa in isas() {
            for (got, want) in self.run_of_rounded(isa).into_iter().zip(&want) {
                close(&with_scale(got, 1), &with_scale(want.clone(), 1), 1e-2)?;
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_isa_agrees_with_the_scalar_twin(
        lengths in proptest::collection::vec(1usize..40, 1..5), heads in 1usize..4, head_dim in 1usize..35, drop: bool,
        seed: u64,
    ) {
        Case::new(Heads { heads, head_dim }, &lengths, if drop { 0.25 } else { 0.0 }, seed).agrees_with_the_reference()?;
    }

    #[test]
    fn pairs_of_bfloat16_agree_with_the_scalar_twin(
        lengths in proptest::collection::vec(
            prop_oneof![1usize..20, Just(31), Just(47), 63usize..66, Just(130)], 1..4,
        ),
        heads in 1usize..6, head_dim in prop_oneof![Just(3usize), Just(8), Just(16), Just(32), Just(64), Just(80)],
        drop: bool, seed: u64,
    ) {
        let case = Case::new(Heads { heads, head_dim }, &lengths, if drop { 0.25 } else { 0.0 }, seed);
        case.agrees_with_the_reference_in_bfloat16()?;
    }
}

#[test]
fn shapes_around_the_edges_of_tiles_and_blocks_agree_with_the_scalar_twin() -> Result<(), TestCaseError> {
    for head_dim in [1, 32, 64, 65] {
        let shape = Heads { heads: 5, head_dim };
        Case::new(shape, &[1, 15, 16, 17, 31, 33], 0.1, 3).agrees_with_the_reference()?;
    }
    for (length, head_dim) in [(64, 64), (65, 32), (129, 1), (129, 65), (257, 64)] {
        Case::new(Heads { heads: 1, head_dim }, &[length], 0.1, 5).agrees_with_the_reference()?;
    }
    Ok(())
}

#[test]
fn scores_far_from_zero_do_not_overflow() -> Result<(), TestCaseError> {
    let mut case = Case::new(Heads { heads: 2, head_dim: 16 }, &[9, 20], 0.0, 11);
    case.qkv.iter_mut().for_each(|x| *x *= 12.0);
    let want = case.reference();
    for isa in isas() {
        for (got, want) in case.run(isa).iter().zip(&want) {
            close(got, want, 3e-4)?;
        }
    }
    Ok(())
}

#[test]
fn a_sequence_has_the_same_bits_alone_and_among_others_and_on_any_number_of_threads() {
    let shape = Heads { heads: 4, head_dim: 32 };
    // No dropout: its streams go by the place in the batch.
    let batch = Case::new(shape, &[70, 5, 33, 5, 16], 0.0, 21);
    let (from, to) = (70 * shape.hidden(), 75 * shape.hidden());
    let (qkv, dout) = (batch.qkv[3 * from..3 * to].to_vec(), batch.dout[from..to].to_vec());
    let alone = Case { shape, cu_seqlens: vec![0, 5], dropout: None, qkv, dout };
    for (isa, run) in
        isas().flat_map(|isa| [(isa, Case::run as fn(&Case, Isa) -> Results), (isa, Case::run_of_rounded)])
    {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(&batch, isa))
        };
        let many = on(3);
        assert_eq!(on(1), many);
        let [out, lse, dqkv] = run(&alone, isa);
        assert_eq!(out, many[0][from..to]);
        assert_eq!(lse, many[1][70 * 4..75 * 4]);
        assert_eq!(dqkv, many[2][3 * from..3 * to]);
    }
}
