//! When the resume state is saved: as often as costs at most a fiftieth of the time. A pure decision.

/// Saving may take this share of the time between two saves: below the promised fiftieth, as the save to come may be
/// slower than the one it is judged by.
const SHARE: f64 = 0.015;

/// Seconds between saves below which more would bring nothing.
const SHORTEST: f64 = 2.0;

/// Bytes a second a first save is taken to write, before one was measured: slower than most disks.
const ASSUMED_SPEED: f64 = 400e6;

/// Decides when to save, from what the last save cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SavePolicy {
    cost: f64,
    last: f64,
}

impl SavePolicy {
    /// A policy for states of `bytes` bytes, at `now` seconds on the run's clock.
    pub(crate) fn new(bytes: usize, now: f64) -> Self {
        Self { cost: bytes as f64 / ASSUMED_SPEED, last: now }
    }

    /// Whether to save at `now`.
    pub(crate) fn due(&self, now: f64) -> bool {
        now - self.last >= (self.cost / SHARE).max(SHORTEST)
    }

    /// A save begun at `started` is done at `now`.
    pub(crate) fn saved(&mut self, started: f64, now: f64) {
        *self = Self { cost: now - started, last: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saving_takes_a_fiftieth_of_the_time_at_most() {
        let (mut now, mut saving) = (0.0, 0.0);
        let mut policy = SavePolicy::new(1_300_000_000, now);
        while now < 3600.0 {
            now += 0.3;
            if policy.due(now) {
                policy.saved(now, now + 1.5);
                now += 1.5;
                saving += 1.5;
            }
        }
        assert!(saving > 30.0 && saving <= 0.02 * now, "{saving} of {now}");
    }

    #[test]
    fn small_states_are_saved_every_few_seconds() {
        let policy = SavePolicy::new(1_000_000, 10.0);
        assert!(!policy.due(11.0) && policy.due(12.0));
    }
}
