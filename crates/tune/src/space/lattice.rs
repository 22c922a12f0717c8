//! Multiples of a step within bounds: what the `q_…` distributions round to.

use super::{Law, Value};

/// The step that values are multiples of: W&B's `q`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Values are integers.
    Integer(i64),
    /// Values are floating-point numbers.
    Real(f64),
}

impl Step {
    /// The step as a number.
    pub fn size(&self) -> f64 {
        match self {
            Self::Integer(size) => *size as f64,
            Self::Real(size) => *size,
        }
    }
}

/// The multiples of a step between two bounds, counted by their index: the multiple over the step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lattice {
    step: Step,
    /// Index of the smallest, an integer.
    first: f64,
    /// Index of the largest, an integer not below `first`.
    last: f64,
    /// Digits behind the point that the step is written with.
    decimals: usize,
}

/// Above it not every integer is a double-precision number.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// Why there are no multiples.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoLattice {
    /// None lies within the bounds.
    Empty,
    /// They are too many to be told apart.
    TooFine,
}

impl Lattice {
    /// Of what a distribution can give. W&B rounds to the nearest multiple even if it is beyond a bound (a dropout of 1.0,
    /// a batch of 0); here multiples stay within bounds.
    pub(super) fn of(law: &Law, step: Step) -> Result<Self, NoLattice> {
        let size = step.size();
        let (low, high) = law.support();
        let low = if low.is_finite() { low } else { law.quantile(0.0) };
        let high = if high.is_finite() { high } else { law.quantile(1.0) };
        let (low, high) = (low / size, high / size);
        // A quotient that is an integer but for rounding is that integer.
        let slack = |quotient: f64| 1e-12 * quotient.abs().max(1.0);
        let (first, last) = ((low - slack(low)).ceil(), (high + slack(high)).floor());
        let largest = if matches!(step, Step::Integer(_)) { LARGEST / size.max(1.0) } else { LARGEST };
        if !(first.abs() <= largest && last.abs() <= largest) {
            return Err(NoLattice::TooFine);
        }
        if first > last {
            return Err(NoLattice::Empty);
        }
        let written = size.to_string();
        let decimals = written.split_once('.').map_or(0, |(_, digits)| digits.len());
        Ok(Self { step, first, last, decimals })
    }

    /// How many multiples there are.
    pub(super) fn count(&self) -> u64 {
        (self.last - self.first) as u64 + 1
    }

    /// A multiple, counted from 0 at the smallest.
    pub(super) fn value(&self, number: u64) -> Value {
        self.at(self.first + number as f64)
    }

    /// The number of a value, counted from 0 at the smallest; `None` where it is no multiple within the bounds.
    pub(super) fn number(&self, value: &Value) -> Option<u64> {
        let quotient = value.as_f64()? / self.step.size();
        let index = quotient.round_ties_even();
        let rounding = 1e-6_f64.max(1e-15 * quotient.abs());
        let inside = (self.first..=self.last).contains(&index) && (quotient - index).abs() <= rounding;
        inside.then_some((index - self.first) as u64)
    }

    /// The multiple nearest to a number, halves going to the even index as in NumPy.
    pub(super) fn round(&self, value: f64) -> Value {
        self.at((value / self.step.size()).round_ties_even().clamp(self.first, self.last))
    }

    /// The middle of the cumulative probabilities that are rounded to a multiple.
    pub(super) fn middle(&self, law: &Law, number: u64) -> f64 {
        let index = self.first + number as f64;
        let size = self.step.size();
        let from = if index <= self.first { 0.0 } else { law.cumulative((index - 0.5) * size) };
        let to = if index >= self.last { 1.0 } else { law.cumulative((index + 0.5) * size) };
        (from + to) / 2.0
    }

    fn at(&self, index: f64) -> Value {
        match self.step {
            Step::Integer(size) => (index as i64 * size).into(),
            // 3 · 0.1 is 0.30000000000000004; what was meant has as many decimals as the step.
            Step::Real(size) => {
                let exact = index * size;
                let rounded = format!("{exact:.*}", self.decimals).parse().unwrap_or(exact);
                // Not −0.0, which is written with its sign.
                Value::from(rounded + 0.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lattice(min: f64, max: f64, step: Step) -> Lattice {
        Lattice::of(&Law::Uniform { min, max }, step).unwrap()
    }

    #[test]
    fn multiples_stay_within_bounds_and_are_written_as_the_step_is() {
        let tenths = lattice(0.1, 0.3, Step::Real(0.1));
        let values: Vec<_> = (0..tenths.count()).map(|number| tenths.value(number)).collect();
        assert_eq!(values, [json!(0.1), json!(0.2), json!(0.3)]);

        let off = lattice(0.3, 2.2, Step::Integer(1));
        assert_eq!((off.round(0.3), off.round(2.2), off.count()), (json!(1), json!(2), 2));
        assert_eq!(lattice(-0.5, 0.5, Step::Real(0.25)).value(2).to_string(), "0.0");
    }

    #[test]
    fn a_value_between_multiples_has_no_number_and_one_but_for_rounding_has() {
        let tenths = lattice(0.0, 1.0, Step::Real(0.1));
        assert_eq!(tenths.number(&json!(0.30000000000000004)), Some(3));
        assert_eq!(tenths.number(&json!(1)), Some(10));
        for foreign in [json!(0.35), json!(1.1), json!(-0.1), json!("0.1"), json!(null)] {
            assert_eq!(tenths.number(&foreign), None, "{foreign}");
        }
    }

    #[test]
    fn bounds_without_a_multiple_and_steps_too_fine_are_refused() {
        let of = |min, max, step| Lattice::of(&Law::Uniform { min, max }, step);
        assert_eq!(of(0.1, 0.9, Step::Integer(1)), Err(NoLattice::Empty));
        assert_eq!(of(0.0, 1e9, Step::Real(1e-9)), Err(NoLattice::TooFine));
    }
}
