//! What the kernel tests share.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::isa::Isa;

/// Every instruction set this processor has.
pub(crate) fn isas() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.available())
}

/// `len` values in [-1, 1), a function of the seed (splitmix64).
pub(crate) fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x2545_f491_4f6c_dd1d);
    (0..len)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// Where texts of one to forty of `tokens` tokens begin, and the last one ends.
pub(crate) fn texts(seed: u64, tokens: usize) -> Vec<u32> {
    let lengths = random(seed ^ 0x7e47, tokens).into_iter().map(|x| (20.0 * x + 21.0) as usize);
    let ends = lengths.scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    [0].into_iter().chain(ends.take_while(|&end| end < tokens)).chain([tokens]).map(|start| start as u32).collect()
}

/// Whether two slices agree to `tolerance` of the largest wanted value.
pub(crate) fn close(got: &[f32], want: &[f32], tolerance: f32) -> Result<(), proptest::test_runner::TestCaseError> {
    assert_eq!(got.len(), want.len());
    let largest = want.iter().fold(1e-3f32, |m, x| m.max(x.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got - want).abs();
        if error > tolerance * largest || error.is_nan() {
            let message = format!("element {i}: got {got}, want {want}, largest {largest}");
            return Err(proptest::test_runner::TestCaseError::fail(message));
        }
    }
    Ok(())
}

/// Adds a value as large as sums over the tokens usually are: one that nearly cancels is no measure of its summands'
/// rounding.
pub(crate) fn with_scale(mut values: Vec<f32>, tokens: usize) -> Vec<f32> {
    values.push(0.25 * (tokens as f32).sqrt());
    values
}

/// What `work` panics with.
pub(crate) fn refusal(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).expect_err("what does not fit is refused");
    let literal = payload.downcast_ref::<&str>().map(|message| message.to_string());
    literal.or(payload.downcast_ref().cloned()).expect("a panic has a message")
}
