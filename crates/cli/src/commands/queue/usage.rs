//! How well a daemon keeps the machine busy, measured by what happened and not by what it meant to do.

use gyeol_store::queue::Daemon;

/// The figures of a daemon as they grow. Times are seconds since 1970 (UTC).
#[derive(Debug)]
pub(super) struct Usage {
    daemon: Daemon,
    /// Idle time is counted up to here.
    last: f64,
    /// Missed time is counted up to here.
    counted: f64,
    /// When room last became free.
    room_since: f64,
}

impl Usage {
    /// Those of a daemon that begins.
    pub(super) fn new(daemon: Daemon) -> Self {
        let began = daemon.started;
        Self { daemon, last: began, counted: began, room_since: began }
    }

    /// The figures so far.
    pub(super) fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// The daemon gives that much memory from now on.
    pub(super) fn give(&mut self, memory: Option<u64>) {
        self.daemon.memory = memory;
    }

    /// Until `now` jobs ran, or none did.
    pub(super) fn pass(&mut self, now: f64, running: bool) {
        if !running {
            self.daemon.idle += (now - self.last).max(0.0);
        }
        self.last = now;
        self.daemon.seen = now;
    }

    /// Room became free at `then`, which may be noticed later.
    pub(super) fn freed(&mut self, then: f64) {
        self.room_since = self.room_since.max(then);
    }

    /// A job that could run since `ready`, as soon as there was room, runs at `now`.
    pub(super) fn started(&mut self, ready: f64, now: f64) {
        let possible = ready.max(self.room_since).max(self.counted);
        self.daemon.missed += (now - possible).max(0.0);
        self.counted = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage() -> Usage {
        let daemon = Daemon {
            id: 1,
            pid: 1,
            threads: 2,
            share: 2,
            memory: None,
            started: 100.0,
            seen: 100.0,
            idle: 0.0,
            missed: 0.0,
        };
        Usage::new(daemon)
    }

    #[test]
    fn a_job_is_missed_from_when_it_was_ready_and_had_room() {
        let mut usage = usage();
        // It waited before there was a daemon.
        usage.started(50.0, 100.25);
        // It waited for room, which the daemon noticed half a second late.
        usage.freed(110.0);
        usage.started(90.0, 110.5);
        // There was room; it was added at 120.
        usage.started(120.0, 120.25);
        assert_eq!(usage.daemon().missed, 1.0);
    }

    #[test]
    fn jobs_that_could_start_together_do_not_miss_the_same_time_twice() {
        let mut usage = usage();
        usage.started(100.0, 101.0);
        usage.started(100.0, 101.5);
        assert_eq!(usage.daemon().missed, 1.5);
    }

    #[test]
    fn time_in_which_nothing_runs_is_idle() {
        let mut usage = usage();
        usage.pass(103.0, false);
        usage.pass(110.0, true);
        usage.pass(111.0, false);
        assert_eq!((usage.daemon().idle, usage.daemon().seen), (4.0, 111.0));
    }
}
