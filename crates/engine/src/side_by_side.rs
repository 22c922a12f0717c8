//! Parts of one work, computed by several workers at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What `compute` gives of each of `parts` parts, in their order. Workers take the next part whenever they are done with one: the
/// first on the calling thread, each of the others on a thread of the current `rayon` pool. What a worker's parts leave of the
/// threads, when there are no more to take, works on those of the others, as far as they are cut into tasks of that pool.
///
/// The calling thread calls `between` after each part of the first worker, and at the end; `None` if that breaks off.
///
/// # Errors
/// That of the first worker. If another fails, it takes no more, and what it leaves is the first's to compute.
pub(crate) fn side_by_side<W: Send, T: Send, E>(
    first: &mut W,
    others: &mut [W],
    parts: usize,
    compute: impl Fn(&mut W, usize) -> Result<T, E> + Sync,
    mut between: impl FnMut() -> ControlFlow<()>,
) -> Result<Option<Vec<T>>, E> {
    let next = AtomicUsize::new(0);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&part| part < parts);
    let mut results: Vec<Option<T>> = (0..parts).map(|_| None).collect();
    let mut by_others: Vec<Vec<(usize, T)>> = others.iter().map(|_| Vec::new()).collect();
    let ended = rayon::in_place_scope(|scope| {
        for (worker, results) in others.iter_mut().zip(&mut by_others) {
            let (take, compute) = (&take, &compute);
            scope.spawn(move |_| {
                while let Some(part) = take() {
                    let Ok(result) = compute(worker, part) else { return };
                    results.push((part, result));
                }
            });
        }
        let mut own = || {
            while let Some(part) = take() {
                results[part] = Some(compute(first, part)?);
                if between().is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        };
        let ended = own();
        // Whatever ended it, nothing is left to take.
        next.fetch_max(parts, Ordering::Relaxed);
        ended
    })?;
    if ended.is_break() {
        return Ok(None);
    }
    for (part, result) in by_others.into_iter().flatten() {
        results[part] = Some(result);
    }
    let mut all = Vec::with_capacity(parts);
    for (part, result) in results.into_iter().enumerate() {
        all.push(match result {
            Some(result) => result,
            None => compute(first, part)?,
        });
    }
    let ended = if others.is_empty() { ControlFlow::Continue(()) } else { between() };
    Ok(ended.is_continue().then_some(all))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A worker that notes what it computed, and fails from its part number `fails` on.
    #[derive(Default)]
    struct Worker {
        computed: Vec<usize>,
        fails: Option<usize>,
        slow: bool,
    }

    impl Worker {
        fn failing(fails: usize) -> Self {
            Self { fails: Some(fails), ..Self::default() }
        }

        fn compute(&mut self, part: usize) -> Result<usize, &'static str> {
            if self.fails.is_some_and(|fails| self.computed.len() >= fails) {
                return Err("no room");
            }
            self.computed.push(part);
            Ok(part * part)
        }
    }

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    fn run(first: &mut Worker, others: &mut [Worker], parts: usize) -> Result<Option<Vec<usize>>, &'static str> {
        side_by_side(first, others, parts, Worker::compute, || ControlFlow::Continue(()))
    }

    #[test]
    fn results_are_in_order_and_each_part_is_computed_once() {
        for threads in 1..4 {
            for parts in [0, 1, 2, 7, 100] {
                let (mut first, mut others) = (Worker::default(), [Worker::default(), Worker::default()]);
                let results = pool(threads).install(|| run(&mut first, &mut others, parts)).unwrap().unwrap();
                assert_eq!(results, (0..parts).map(|part| part * part).collect::<Vec<_>>());
                let mut computed =
                    [first.computed, others.into_iter().flat_map(|worker| worker.computed).collect()].concat();
                computed.sort_unstable();
                assert_eq!(computed, (0..parts).collect::<Vec<_>>(), "{threads} threads");
            }
        }
    }

    #[test]
    fn workers_compute_at_once() {
        // Each waits for the other's part: alone neither would end.
        let meeting = std::sync::Barrier::new(2);
        let results = pool(2).install(|| {
            let compute = |_: &mut Worker, part| -> Result<usize, ()> {
                meeting.wait();
                Ok(part)
            };
            side_by_side(&mut Worker::default(), &mut [Worker::default()], 2, compute, || ControlFlow::Continue(()))
        });
        assert_eq!(results, Ok(Some(vec![0, 1])));
    }

    #[test]
    fn what_another_worker_has_no_room_for_is_computed_by_the_first() {
        for fails in [0, 1, 3] {
            let mut first = Worker::default();
            let mut others = [Worker::failing(fails), Worker::failing(0)];
            let results = pool(3).install(|| run(&mut first, &mut others, 50)).unwrap().unwrap();
            assert_eq!(results, (0..50).map(|part| part * part).collect::<Vec<_>>());
            assert!(first.computed.len() >= 50 - fails && others[1].computed.is_empty());
        }
    }

    /// Far more parts than the first worker gets to before it ends the work, as the others take a millisecond for each.
    const PARTS: usize = 2000;

    fn slow(worker: &mut Worker, part: usize) -> Result<usize, &'static str> {
        if worker.slow {
            std::thread::sleep(Duration::from_millis(1));
        }
        worker.compute(part)
    }

    #[test]
    fn an_error_of_the_first_ends_all() {
        let mut others = [Worker { slow: true, ..Worker::default() }];
        let go_on = || ControlFlow::Continue(());
        let ended = pool(2).install(|| side_by_side(&mut Worker::failing(1), &mut others, PARTS, slow, go_on));
        assert_eq!(ended, Err("no room"));
        assert!(others[0].computed.len() < PARTS - 1);
        // Alone, and for what another has left.
        assert_eq!(run(&mut Worker::failing(2), &mut [], 3), Err("no room"));
        assert_eq!(run(&mut Worker::failing(2), &mut [Worker::failing(0)], 3), Err("no room"));
    }

    #[test]
    fn the_calling_thread_may_break_off_after_any_part() {
        for others in 0..3 {
            let mut others: Vec<Worker> = (0..others).map(|_| Worker { slow: true, ..Worker::default() }).collect();
            let (mut first, mut callers) = (Worker::default(), Vec::new());
            let between = || {
                callers.push(std::thread::current().id());
                if callers.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let ended = side_by_side(&mut first, &mut others, PARTS, slow, between).unwrap();
            assert_eq!((ended, first.computed.len()), (None, 3));
            assert!(others.iter().map(|worker| worker.computed.len()).sum::<usize>() < PARTS - 3);
            assert_eq!(callers, [std::thread::current().id(); 3]);
        }
    }
}
