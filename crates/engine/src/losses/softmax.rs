//! The softmax of one row, and its cross-entropy against a share for each output: what every loss over classes or score
//! buckets is made of.

/// The softmax of a row. Exponentials are taken after subtracting the row's largest output, which keeps them and their sum
/// in range for outputs of any size.
pub(super) struct Softmax<'a> {
    row: &'a [f32],
    max: f32,
    exponentials: Vec<f64>,
    sum: f64,
}

impl<'a> Softmax<'a> {
    pub(super) fn new(row: &'a [f32]) -> Self {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f64> = row.iter().map(|&x| f64::from(x - max).exp()).collect();
        let sum = exponentials.iter().sum();
        Self { row, max, exponentials, sum }
    }

    /// The probability of an output.
    pub(super) fn probability(&self, output: usize) -> f64 {
        self.exponentials[output] / self.sum
    }

    /// Its logarithm, finite where the probability itself is too small for a number.
    pub(super) fn log_probability(&self, output: usize) -> f64 {
        f64::from(self.row[output] - self.max) - self.sum.ln()
    }

    /// −Σ shares·log p, in nats.
    pub(super) fn cross_entropy(&self, shares: &[f64]) -> f64 {
        // Outputs without a share are passed over: one of −∞ is no reason for a NaN.
        let of =
            |(output, share): (usize, &f64)| if *share == 0.0 { 0.0 } else { share * -self.log_probability(output) };
        shares.iter().enumerate().map(of).sum()
    }

    /// Its gradient with respect to each output, p·Σ shares − shares.
    pub(super) fn cross_entropy_gradient<'b>(&'b self, shares: &'b [f64]) -> impl Iterator<Item = f64> + 'b {
        let total: f64 = shares.iter().sum();
        shares.iter().enumerate().map(move |(output, share)| self.probability(output) * total - share)
    }

    /// Everything of one output against all others: their probability together, and how it is divided among them.
    pub(super) fn others(&self, output: usize) -> Others {
        let others = || self.row.iter().enumerate().filter(move |(other, _)| *other != output);
        let max = others().map(|(_, &x)| x).fold(f32::NEG_INFINITY, f32::max);
        let exponential = |(other, &x): (usize, &f32)| if other == output { 0.0 } else { f64::from(x - max).exp() };
        let mut shares: Vec<f64> = self.row.iter().enumerate().map(exponential).collect();
        let sum: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum);
        Others { log_probability: f64::from(max) - f64::from(self.max) + sum.ln() - self.sum.ln(), shares }
    }
}

/// See [`Softmax::others`].
pub(super) struct Others {
    /// log(1 − p), exact also where p rounds to 1.
    pub(super) log_probability: f64,
    /// The probability of each of them, given that it is one of them; 0 for the output itself.
    pub(super) shares: Vec<f64>,
}
