//! The covariance of two points: Matérn-5/2 of a distance in which every dimension has a length scale of its own, and
//! categories are as far apart as they are different (0 or 1).

const SQRT_5: f64 = 2.236_067_977_499_79;

/// The covariance function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kernel {
    /// The variance of the function.
    pub(crate) scale: f64,
    /// 1/ℓ² of each dimension's length scale ℓ.
    pub(crate) precisions: Vec<f64>,
    /// Which dimensions are categories.
    pub(crate) nominal: Vec<bool>,
}

impl Kernel {
    /// The covariance of two encoded points, and its derivative by their squared distance.
    pub(crate) fn between(&self, a: &[f64], b: &[f64]) -> (f64, f64) {
        let mut square = 0.0;
        for j in 0..a.len() {
            square += self.precisions[j] * squared_difference(a[j], b[j], self.nominal[j]);
        }
        let (value, slope) = matern(square);
        (self.scale * value, self.scale * slope)
    }
}

/// What a dimension adds to the squared distance of length scale 1.
pub(crate) fn squared_difference(a: f64, b: f64, nominal: bool) -> f64 {
    let difference = a - b;
    if nominal { f64::from(u8::from(difference != 0.0)) } else { difference * difference }
}

/// The Matérn-5/2 correlation of a squared distance, and its derivative by it (Rasmussen & Williams, eq. 4.17).
pub(crate) fn matern(square: f64) -> (f64, f64) {
    let distance = SQRT_5 * square.sqrt();
    let decay = (-distance).exp();
    ((1.0 + distance + 5.0 / 3.0 * square) * decay, -5.0 / 6.0 * (1.0 + distance) * decay)
}
