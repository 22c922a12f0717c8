//! The numbers of evaluations at which trials are compared, in a geometric progression.

/// As many rungs as W&B computes; more than any training reaches unless `eta` is next to 1.
const MOST: usize = 100;

/// Why there are no rungs as asked for.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidRungs {
    /// Rungs must grow.
    #[error("eta is {0}; it must be a number larger than 1, for instance 3")]
    Eta(f64),
    /// The first evaluation is number 1.
    #[error("min_iter is 0; the first evaluation is number 1")]
    MinIter,
    /// Every rung would be below the first evaluation.
    #[error(
        "no evaluation to compare trials at: max_iter {max_iter} divided by eta {eta} up to {s} times never gives 1 or \
         more; make max_iter larger, eta smaller, or s at least 1"
    )]
    None {
        /// The last evaluation of a trial.
        max_iter: u64,
        /// How many rungs were asked for.
        s: u32,
        /// What each divides by.
        eta: f64,
    },
}

/// Numbers of evaluations, each at least 1 and larger than the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rungs(Vec<usize>);

impl Rungs {
    /// `min_iter·eta^k`, rounded down.
    pub(super) fn upwards(min_iter: u64, eta: f64) -> Result<Self, InvalidRungs> {
        check_eta(eta)?;
        if min_iter == 0 {
            return Err(InvalidRungs::MinIter);
        }
        let rungs = std::iter::successors(Some(min_iter as f64), |rung| Some(rung * eta));
        Ok(Self::of(rungs.take(MOST).collect()))
    }

    /// `max_iter/eta^k` for k from 1 to `s`, rounded down, as far as they are at least 1.
    pub(super) fn downwards(max_iter: u64, s: u32, eta: f64) -> Result<Self, InvalidRungs> {
        check_eta(eta)?;
        let rungs = std::iter::successors(Some(max_iter as f64 / eta), |rung| Some(rung / eta));
        let mut rungs: Vec<f64> = rungs.take(s as usize).take_while(|rung| *rung >= 1.0).collect();
        if rungs.is_empty() {
            return Err(InvalidRungs::None { max_iter, s, eta });
        }
        rungs.reverse();
        Ok(Self::of(rungs))
    }

    fn of(ascending: Vec<f64>) -> Self {
        let mut rungs: Vec<usize> = ascending.into_iter().map(|rung| rung as usize).collect();
        rungs.dedup();
        Self(rungs)
    }

    /// All of them, the lowest first.
    pub(super) fn as_slice(&self) -> &[usize] {
        &self.0
    }

    /// The index of the highest rung that a trial with so many evaluations has reached.
    pub(super) fn reached(&self, evaluations: usize) -> Option<usize> {
        self.0.partition_point(|rung| *rung <= evaluations).checked_sub(1)
    }
}

fn check_eta(eta: f64) -> Result<(), InvalidRungs> {
    if eta > 1.0 && eta.is_finite() { Ok(()) } else { Err(InvalidRungs::Eta(eta)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upwards_each_is_eta_times_the_one_before_rounded_down() {
        assert_eq!(Rungs::upwards(2, 3.0).unwrap().as_slice()[..4], [2, 6, 18, 54]);
        assert_eq!(Rungs::upwards(1, 1.5).unwrap().as_slice()[..5], [1, 2, 3, 5, 7]);
    }

    #[test]
    fn downwards_they_end_at_one_or_after_s() {
        assert_eq!(Rungs::downwards(27, 2, 3.0).unwrap().as_slice(), [3, 9]);
        assert_eq!(Rungs::downwards(10, 9, 3.0).unwrap().as_slice(), [1, 3]);
    }

    #[test]
    fn a_rung_is_reached_with_its_own_evaluation() {
        let rungs = Rungs::upwards(2, 3.0).unwrap();
        assert_eq!(
            [0, 1, 2, 5, 6].map(|evaluations| rungs.reached(evaluations)),
            [None, None, Some(0), Some(0), Some(1)]
        );
    }

    #[test]
    fn rungs_that_cannot_be_are_refused_with_their_numbers() {
        for eta in [1.0, 0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(Rungs::upwards(1, eta), Err(InvalidRungs::Eta(_))), "{eta}");
        }
        assert_eq!(Rungs::upwards(0, 3.0), Err(InvalidRungs::MinIter));
        let none = Rungs::downwards(2, 4, 3.0).unwrap_err();
        assert_eq!(none, InvalidRungs::None { max_iter: 2, s: 4, eta: 3.0 });
        assert!(none.to_string().contains("max_iter 2 divided by eta 3 up to 4 times"), "{none}");
        assert!(Rungs::downwards(9, 0, 3.0).is_err());
    }
}
