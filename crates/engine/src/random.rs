//! Random numbers as functions of their position: no generator state to keep, so a resumed run draws the same.

/// A bijective 64-bit mixer (the finaliser of splitmix64, Steele, Lea & Flood 2014, after one Weyl step).
pub(crate) fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A key for `name` under `seed`.
pub(crate) fn key(seed: u64, name: &str) -> u64 {
    name.bytes().fold(mix(seed), |key, byte| mix(key ^ u64::from(byte)))
}

/// Element `index` of a stream of uniform numbers in (0, 1).
pub(crate) fn uniform(key: u64, index: u64) -> f64 {
    ((mix(key ^ mix(index)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// Fills `out` with normal numbers of mean 0 (Box & Muller 1958).
pub(crate) fn fill_normal(key: u64, deviation: f32, out: &mut [f32]) {
    for (pair, out) in out.chunks_mut(2).enumerate() {
        let (u, v) = (uniform(key, 2 * pair as u64), uniform(key, 2 * pair as u64 + 1));
        let radius = (-2.0 * u.ln()).sqrt() * f64::from(deviation);
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        for (slot, value) in out.iter_mut().zip([radius * cos, radius * sin]) {
            *slot = value as f32;
        }
    }
}

/// The order of `len` rows in pass `epoch` over them (Fisher & Yates).
pub(crate) fn permutation(seed: u64, epoch: u64, len: usize) -> Vec<u32> {
    let key = mix(key(seed, "order") ^ epoch);
    let mut order: Vec<u32> = (0..len as u32).collect();
    for i in (1..len).rev() {
        // The multiply-shift maps to 0..=i with a bias below 2^-32 for tables of up to 2^32 rows.
        let j = ((u128::from(mix(key ^ i as u64)) * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_the_asked_moments() {
        let mut x = vec![0.0; 100_001];
        fill_normal(key(1, "w"), 0.02, &mut x);
        let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / x.len() as f64;
        let fourth = x.iter().map(|&x| (f64::from(x) - mean).powi(4)).sum::<f64>() / x.len() as f64;
        assert!(mean.abs() < 3e-4 && (variance.sqrt() - 0.02).abs() < 2e-4, "{mean} {variance}");
        assert!((fourth / variance.powi(2) - 3.0).abs() < 0.1, "kurtosis {}", fourth / variance.powi(2));
    }

    #[test]
    fn a_permutation_holds_every_row_once_and_differs_by_epoch_and_seed() {
        let order = permutation(1, 0, 1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(order, permutation(1, 1, 1000));
        assert_ne!(order, permutation(2, 0, 1000));
        assert_eq!(order, permutation(1, 0, 1000));
    }
}
