//! Several models at work: which compute at once, on how many threads each, and one watcher who hears of all of them.
//!
//! A model gives the same bits on any number of threads, so nothing but the time depends on what is decided here.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use rayon::ThreadPool;

use crate::{Error, Watcher};

/// Models whose files have more bytes than this compute one after the other, each on all threads: their products are large
/// enough to keep them busy. `examples/ensemble_predict_bench.rs` has the figures.
pub(super) const SMALL: u64 = 64 << 20;

/// Bytes of memory per byte of a model's files: half-precision files in single precision, and the copies that products read.
const MEMORY_A_BYTE: u64 = 4;

/// Bytes for the activations of a batch, of which each thread may have one, and its part of the tokens, roughly.
const MEMORY_A_THREAD: u64 = 64 << 20;

/// How often somebody who watches is asked whether to stop, while nothing happens.
const ATTENTION: Duration = Duration::from_millis(100);

/// Which models compute at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// How many of `together` at a time; each has its part of the threads.
    at_once: usize,
    together: Vec<usize>,
    /// One after the other, each on all threads.
    alone: Vec<usize>,
}

impl Plan {
    /// One after the other.
    pub(super) fn in_turn(models: usize) -> Self {
        Self { at_once: 1, together: Vec::new(), alone: (0..models).collect() }
    }

    /// For models of so many bytes in files, on `threads` threads, where `available` bytes of memory are (`None`: nobody knows).
    ///
    /// Small ones compute at once, as many as there are threads and room. Where they do not come out even, the rest takes
    /// turns: a thread without a model would be idle.
    pub(super) fn new(bytes: &[u64], threads: usize, available: Option<u64>) -> Self {
        let mut small: Vec<usize> = (0..bytes.len()).filter(|&model| bytes[model] <= SMALL).collect();
        // Those of a size together, so that they end together.
        small.sort_by_key(|&model| std::cmp::Reverse(bytes[model]));
        let memory = |at_once: usize| -> u64 {
            let models: u64 = small[..at_once].iter().map(|&model| bytes[model] * MEMORY_A_BYTE).sum();
            models + threads as u64 * MEMORY_A_THREAD
        };
        let fits = |at_once: &usize| available.is_none_or(|available| memory(*at_once) <= available);
        let Some(at_once) = (2..=threads.min(small.len())).rev().find(fits) else { return Self::in_turn(bytes.len()) };
        small.truncate(small.len() / at_once * at_once);
        let alone = (0..bytes.len()).filter(|model| !small.contains(model)).collect();
        Self { at_once, together: small, alone }
    }
}

/// What `work` gives of each of the models, of `rows` rows each, in their order. It tells its watcher what it does. The
/// first error ends all, but for those that `goes_on` passes over; of models that fail at once, it is that of the first
/// in order.
///
/// # Errors
/// [`Error::Interrupted`] if the watcher asks to stop; the error that ended it; if threads cannot be started.
pub(super) fn run<T: Send>(
    plan: &Plan,
    rows: usize,
    watcher: &mut dyn Watcher,
    work: impl Fn(usize, &mut dyn Watcher) -> Result<T, Error> + Sync,
    goes_on: impl Fn(&Error) -> bool,
) -> Result<Vec<Result<T, Error>>, Error> {
    let models = plan.together.len() + plan.alone.len();
    let mut progress = Progress { watcher, rows: models * rows, done: 0, begun: false, told: HashSet::new() };
    let mut results: Vec<Option<Result<T, Error>>> = (0..models).map(|_| None).collect();
    let mut take = |model: usize, result: Result<T, Error>| match result {
        Err(error) if !goes_on(&error) => Err(Fatal { model, error: Box::new(error) }),
        result => {
            results[model] = Some(result);
            Ok(())
        }
    };
    if !plan.together.is_empty() {
        let pools = pools(rayon::current_num_threads(), plan.at_once)?;
        at_once(&plan.together, &pools, &mut progress, &work, &mut take)?;
    }
    for &model in &plan.alone {
        take(model, work(model, &mut InTurn { progress: &mut progress, done: 0 })).map_err(|fatal| *fatal.error)?;
    }
    results.into_iter().map(|result| result.ok_or(Error::Interrupted)).collect()
}

/// `threads` dealt to `pools` pools.
fn pools(threads: usize, pools: usize) -> Result<Vec<ThreadPool>, Error> {
    let part = |pool: usize| (threads / pools + usize::from(pool < threads % pools)).max(1);
    let build = |pool: usize| rayon::ThreadPoolBuilder::new().num_threads(part(pool)).build();
    let problem = |error| Error::Setting { key: "--threads", problem: format!("they cannot be started: {error}") };
    (0..pools).map(|pool| build(pool).map_err(problem)).collect()
}

/// The error of a model, which ends all.
#[derive(Debug)]
struct Fatal {
    model: usize,
    error: Box<Error>,
}

/// What a thread with a pool says to the one that watches.
enum Said<T> {
    Note(String),
    Warning(String),
    /// So many more rows are done.
    Rows(usize),
    /// What came of a model.
    Result(usize, Result<T, Error>),
}

/// Has each of `pools` work on one model after the other; `take` has the results as they come, and ends all with an error.
fn at_once<T: Send>(
    models: &[usize],
    pools: &[ThreadPool],
    progress: &mut Progress<'_>,
    work: &(impl Fn(usize, &mut dyn Watcher) -> Result<T, Error> + Sync),
    take: &mut impl FnMut(usize, Result<T, Error>) -> Result<(), Fatal>,
) -> Result<(), Error> {
    let (next, stop) = (&AtomicUsize::new(0), &AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for pool in pools {
            let sender = sender.clone();
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed)
                    && let Some(&model) = models.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let mut watcher = Remote { sender: sender.clone(), stop, done: 0 };
                    let result = pool.install(|| work(model, &mut watcher));
                    // The one that watches listens until the last sender is gone.
                    let _ = sender.send(Said::Result(model, result));
                }
            });
        }
        drop(sender);
        // Which model failed, unless it was the one that watches who ended it.
        let mut ended: Result<(), (Option<usize>, Error)> = Ok(());
        loop {
            match receiver.recv_timeout(ATTENTION) {
                Ok(Said::Note(text)) => progress.note(text),
                Ok(Said::Warning(text)) => progress.warning(text),
                Ok(Said::Rows(more)) => progress.add(more),
                // That others stop once they are asked to is no news.
                Ok(Said::Result(_, Err(Error::Interrupted))) if ended.is_err() => {}
                Ok(Said::Result(model, result)) => match (take(model, result), &ended) {
                    (Err(Fatal { model, error }), Ok(())) => ended = Err((Some(model), *error)),
                    (Err(Fatal { model, error }), Err((Some(first), _))) if model < *first => {
                        ended = Err((Some(model), *error));
                    }
                    _ => {}
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return ended.map_err(|(_, error)| error),
            }
            if ended.is_ok() && progress.watcher.interrupted() {
                ended = Err((None, Error::Interrupted));
            }
            if ended.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
        }
    })
}

/// All that is heard of several models as one: the rows of all, and each note once.
struct Progress<'a> {
    watcher: &'a mut dyn Watcher,
    rows: usize,
    done: usize,
    begun: bool,
    told: HashSet<String>,
}

impl Progress<'_> {
    fn note(&mut self, text: String) {
        if !self.told.contains(&text) {
            self.watcher.note(&text);
            self.told.insert(text);
        }
    }

    fn warning(&mut self, text: String) {
        if !self.told.contains(&text) {
            self.watcher.warning(&text);
            self.told.insert(text);
        }
    }

    fn phase(&mut self, name: &'static str) {
        // Once rows are counted, what lies between two models is not worth another line.
        if !self.begun {
            self.watcher.phase(name);
        }
    }

    fn add(&mut self, rows: usize) {
        if !std::mem::replace(&mut self.begun, true) {
            self.watcher.predicting("predicting", self.rows);
        }
        self.done += rows;
        self.watcher.predicted(self.done);
    }
}

/// What the model that computes alone tells.
struct InTurn<'a, 'b> {
    progress: &'a mut Progress<'b>,
    /// Rows of this model.
    done: usize,
}

impl Watcher for InTurn<'_, '_> {
    fn phase(&mut self, name: &'static str) {
        self.progress.phase(name);
    }

    fn note(&mut self, text: &str) {
        self.progress.note(text.to_owned());
    }

    fn warning(&mut self, text: &str) {
        self.progress.warning(text.to_owned());
    }

    fn predicted(&mut self, done: usize) {
        self.progress.add(done - std::mem::replace(&mut self.done, done));
    }

    fn interrupted(&self) -> bool {
        self.progress.watcher.interrupted()
    }
}

/// What a model on another thread tells.
struct Remote<'a, T> {
    sender: Sender<Said<T>>,
    stop: &'a AtomicBool,
    /// Rows of this model.
    done: usize,
}

impl<T> Remote<'_, T> {
    fn say(&self, said: Said<T>) {
        // Heard until the last sender is gone, and this is one.
        let _ = self.sender.send(said);
    }
}

impl<T: Send> Watcher for Remote<'_, T> {
    fn note(&mut self, text: &str) {
        self.say(Said::Note(text.to_owned()));
    }

    fn warning(&mut self, text: &str) {
        self.say(Said::Warning(text.to_owned()));
    }

    fn predicted(&mut self, done: usize) {
        let more = done - std::mem::replace(&mut self.done, done);
        self.say(Said::Rows(more));
    }

    fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: Option<u64> = Some(1 << 40);

    fn plan(at_once: usize, together: &[usize], alone: &[usize]) -> Plan {
        Plan { at_once, together: together.to_vec(), alone: alone.to_vec() }
    }

    #[test]
    fn small_models_compute_at_once_and_those_left_over_in_turn() {
        assert_eq!(Plan::new(&[1 << 20; 4], 2, None), plan(2, &[0, 1, 2, 3], &[]));
        assert_eq!(Plan::new(&[1 << 20, 3 << 20, 2 << 20], 2, MANY), plan(2, &[1, 2], &[0]));
        assert_eq!(Plan::new(&[1 << 20; 3], 8, MANY), plan(3, &[0, 1, 2], &[]));
        assert_eq!(Plan::new(&[1 << 20], 8, MANY), Plan::in_turn(1));
        assert_eq!(Plan::new(&[1 << 20; 3], 1, MANY), Plan::in_turn(3));
    }

    #[test]
    fn large_models_compute_in_turn() {
        assert_eq!(Plan::new(&[SMALL + 1, 1, SMALL + 1, 1], 2, MANY), plan(2, &[1, 3], &[0, 2]));
        assert_eq!(Plan::new(&[SMALL + 1; 2], 2, MANY), Plan::in_turn(2));
    }

    #[test]
    fn as_many_compute_at_once_as_memory_has_room_for() {
        let room = |models: u64| models * (10 << 20) * MEMORY_A_BYTE + 4 * MEMORY_A_THREAD;
        assert_eq!(Plan::new(&[10 << 20; 4], 4, Some(room(3) - 1)), plan(2, &[0, 1, 2, 3], &[]));
        assert_eq!(Plan::new(&[10 << 20; 4], 4, Some(room(3))), plan(3, &[0, 1, 2], &[3]));
        assert_eq!(Plan::new(&[10 << 20; 4], 4, Some(room(2) - 1)), Plan::in_turn(4));
    }

    #[test]
    fn every_thread_is_in_one_pool() {
        let threads = |all, count| -> Vec<usize> {
            pools(all, count).unwrap().iter().map(ThreadPool::current_num_threads).collect()
        };
        assert_eq!(threads(5, 2), [3, 2]);
        assert_eq!(threads(2, 2), [1, 1]);
    }

    /// Remembers what it is told; asks to stop from `last` rows on.
    #[derive(Default)]
    struct Listener {
        told: Vec<String>,
        rows: Vec<usize>,
        last: Option<usize>,
    }

    impl Watcher for Listener {
        fn note(&mut self, text: &str) {
            self.told.push(text.to_owned());
        }

        fn warning(&mut self, text: &str) {
            self.told.push(text.to_owned());
        }

        fn predicting(&mut self, what: &'static str, rows: usize) {
            self.told.push(format!("{what} {rows}"));
        }

        fn predicted(&mut self, done: usize) {
            self.rows.push(done);
        }

        fn interrupted(&self) -> bool {
            self.last.is_some_and(|last| self.rows.last().is_some_and(|&done| done >= last))
        }
    }

    fn work(model: usize, watcher: &mut dyn Watcher) -> Result<usize, Error> {
        watcher.warning("a text is empty");
        watcher.predicted(4);
        watcher.predicted(10);
        if watcher.interrupted() { Err(Error::Interrupted) } else { Ok(model * model) }
    }

    fn fails_at(bad: usize) -> impl Fn(usize, &mut dyn Watcher) -> Result<usize, Error> + Sync {
        move |model, watcher| {
            let problem = || Error::NoModel { path: "x".into(), problem: model.to_string() };
            if model == bad { Err(problem()) } else { work(model, watcher) }
        }
    }

    #[test]
    fn rows_are_counted_over_all_models_and_warnings_told_once() {
        for plan in [Plan::in_turn(3), plan(2, &[2, 1], &[0])] {
            let mut listener = Listener::default();
            let results = run(&plan, 10, &mut listener, work, |_| false).unwrap();
            assert_eq!(results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 4]);
            assert_eq!(listener.told, ["a text is empty", "predicting 30"]);
            assert!(listener.rows.is_sorted() && listener.rows.last() == Some(&30), "{:?}", listener.rows);
        }
    }

    #[test]
    fn an_error_ends_all_unless_it_is_passed_over() {
        for plan in [Plan::in_turn(4), plan(2, &[0, 1, 2, 3], &[])] {
            let ended = run(&plan, 10, &mut Listener::default(), fails_at(1), |_| false);
            assert!(matches!(ended, Err(Error::NoModel { .. })), "{ended:?}");
            let results = run(&plan, 10, &mut Listener::default(), fails_at(1), |_| true).unwrap();
            assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
        }
    }

    #[test]
    fn of_models_that_fail_at_once_the_first_in_order_is_heard() {
        let failing = |model: usize, _: &mut dyn Watcher| -> Result<(), Error> {
            // The last one fails first, while the others are at it.
            std::thread::sleep(Duration::from_millis(50 * (3 - model as u64)));
            Err(Error::NoModel { path: "x".into(), problem: model.to_string() })
        };
        let pools: Vec<ThreadPool> =
            (0..3).map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap()).collect();
        let mut listener = Listener::default();
        let mut progress = Progress { watcher: &mut listener, rows: 3, done: 0, begun: false, told: HashSet::new() };
        let mut take =
            |model, result: Result<(), Error>| result.map_err(|error| Fatal { model, error: Box::new(error) });
        let ended = at_once(&[2, 1, 0], &pools, &mut progress, &failing, &mut take);
        assert!(matches!(&ended, Err(Error::NoModel { problem, .. }) if problem == "0"), "{ended:?}");
    }

    #[test]
    fn whoever_watches_can_stop_models_on_other_threads() {
        for plan in [Plan::in_turn(40), plan(2, &(0..40).collect::<Vec<_>>(), &[])] {
            let mut listener = Listener { last: Some(20), ..Listener::default() };
            let slow = |model, watcher: &mut dyn Watcher| {
                std::thread::sleep(Duration::from_millis(1));
                work(model, watcher)
            };
            let stopped = run(&plan, 10, &mut listener, slow, |_| false);
            assert!(matches!(stopped, Err(Error::Interrupted)));
            assert!(listener.rows.len() < 80, "{}", listener.rows.len());
        }
    }
}
