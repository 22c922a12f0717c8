//! Rounding to bfloat16: the upper half of a single, rounded to nearest even.

use crate::isa::{Isa, multiversion};

/// The bits of `x` as a bfloat16, rounded to nearest even. Subnormal numbers become zeros of their sign, as the
/// instructions of AVX512_BF16 make them, and a NaN stays a (quiet) NaN.
#[inline(always)]
pub(crate) fn bf16_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    let upper = bits >> 16;
    let rounded = bits.wrapping_add(0x7fff + (upper & 1)) >> 16;
    let finite = if x.abs() < f32::MIN_POSITIVE { upper & 0x8000 } else { rounded };
    (if x.is_nan() { upper | 0x40 } else { finite }) as u16
}

/// `x` as the products in bfloat16 see it.
#[inline(always)]
pub(crate) fn round_to_bf16(x: f32) -> f32 {
    widen(bf16_bits(x))
}

/// Neighbouring elements of `row` as words of two, the even one in the lower half; the last of an odd number pairs
/// with 0, and so do the words beyond the row.
pub(super) fn round_row(isa: Isa, row: &[f32], words: &mut [u32]) {
    assert!(row.len() <= 2 * words.len(), "two elements a word");
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Fast::new` has checked that the processor has this instruction set.
        Isa::Avx512Bf16 => unsafe { super::avx512::round_row(row, words) },
        _ => round_row_plainly(isa, row, words),
    }
}

/// `out` = `row`, rounded. Both of one length.
pub(crate) fn round_halves(isa: Isa, row: &[f32], out: &mut [u16]) {
    round_rows(isa, std::iter::once((row, out)));
}

/// [`round_halves`] of every row; many in one call, as they are short.
pub(crate) fn round_rows<'a>(isa: Isa, rows: impl Iterator<Item = (&'a [f32], &'a mut [u16])>) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn avx512bf16<'a>(rows: impl Iterator<Item = (&'a [f32], &'a mut [u16])>) {
        for (row, out) in rows {
            round_blocks(|block| super::avx512::round_block(block).0, row, out);
        }
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Fast::new` has checked that the processor has this instruction set.
        Isa::Avx512Bf16 => unsafe { avx512bf16(rows) },
        _ => rows.for_each(|(row, out)| round_blocks(|block| round_block_plainly(block).0, row, out)),
    }
}

#[inline(always)]
fn round_blocks(round: impl Fn(&[f32; BLOCK]) -> [u16; BLOCK], row: &[f32], out: &mut [u16]) {
    assert_eq!(row.len(), out.len(), "a half an element");
    let (row, last_row) = row.as_chunks();
    let (out, last_out) = out.as_chunks_mut();
    for (row, out) in row.iter().zip(out) {
        *out = round(row);
    }
    if !last_row.is_empty() {
        let mut block = [0.0; BLOCK];
        block[..last_row.len()].copy_from_slice(last_row);
        last_out.copy_from_slice(&round(&block)[..last_row.len()]);
    }
}

multiversion! {
    fn round_row_plainly(row: &[f32], words: &mut [u32]) {
        let (pairs, last) = row.as_chunks::<2>();
        let (words, beyond) = words.split_at_mut(pairs.len());
        for (word, pair) in words.iter_mut().zip(pairs) {
            *word = u32::from(bf16_bits(pair[0])) | u32::from(bf16_bits(pair[1])) << 16;
        }
        beyond.fill(0);
        if let [last] = last {
            beyond[0] = u32::from(bf16_bits(*last));
        }
    }
}

/// Elements that are rounded at once.
pub(crate) const BLOCK: usize = 32;

/// `x` in bfloat16, and what that leaves of it in single precision.
#[inline(always)]
pub(crate) fn round_block_plainly(x: &[f32; BLOCK]) -> ([u16; BLOCK], [f32; BLOCK]) {
    let halves = x.map(bf16_bits);
    (halves, halves.map(widen))
}

/// `half` in single precision.
#[inline(always)]
pub(crate) fn widen(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::isas;
    use proptest::prelude::*;

    #[test]
    fn rounds_to_nearest_and_ties_to_even() {
        let ulp = 1.0 / 128.0;
        for (x, want) in [
            (1.0, 1.0),
            (1.0 + 0.49 * ulp, 1.0),
            (1.0 + 0.5 * ulp, 1.0),
            (1.0 + 0.51 * ulp, 1.0 + ulp),
            (1.0 + 1.5 * ulp, 1.0 + 2.0 * ulp),
            (-1.0 - 1.5 * ulp, -1.0 - 2.0 * ulp),
            (f32::MAX, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
            (f32::MIN_POSITIVE, f32::MIN_POSITIVE),
            (f32::MIN_POSITIVE / 2.0, 0.0),
        ] {
            assert_eq!(round_to_bf16(x), want, "{x}");
        }
        assert!(round_to_bf16(f32::from_bits(0x7f80_0001)).is_nan());
        assert!(round_to_bf16(-1e-40).is_sign_negative());
    }

    proptest! {
        #[test]
        fn every_isa_rounds_any_bits_alike(bits in prop::collection::vec(any::<u32>(), 0..150), spare in 0usize..40) {
            let row: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).collect();
            let at = |i: usize| row.get(i).map_or(0, |&x| u32::from(bf16_bits(x)));
            let want: Vec<u32> = (0..row.len().div_ceil(2) + spare).map(|i| at(2 * i) | at(2 * i + 1) << 16).collect();
            for isa in isas() {
                let mut got = vec![u32::MAX; want.len()];
                round_row(isa, &row, &mut got);
                prop_assert_eq!(&got, &want, "{}", isa.name());
            }
        }
    }
}
