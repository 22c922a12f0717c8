//! Tests of what the store keeps of jobs; and the job that tests of this module share.

use std::collections::BTreeMap;

use super::{verdict::End, *};

/// A job that waits since second 0, with nothing special about it.
pub(super) fn job(id: i64) -> Job {
    Job {
        id: JobId(id),
        spec: spec("train"),
        added: 0.0,
        state: State::Waiting,
        since: 0.0,
        wish: None,
        not_before: None,
        failures: 0,
        alone: false,
        overtaken: 0,
        note: None,
        run: None,
        attempt: Attempt::default(),
    }
}

fn spec(kind: &str) -> Spec {
    Spec {
        name: None,
        kind: kind.to_owned(),
        words: vec![kind.to_owned(), "recipe 하나.toml".to_owned()],
        directory: "work".into(),
        environment: BTreeMap::from([("GYEOL_ISA".to_owned(), "avx2".to_owned())]),
        priority: 3,
        after: Vec::new(),
        threads: Some(2),
        memory: Some(4 << 30),
        retries: 1,
        deadline: Some(1e9),
    }
}

fn queue() -> (tempfile::TempDir, Queue) {
    let home = tempfile::tempdir().unwrap();
    let queue = Queue::open(home.path()).unwrap();
    (home, queue)
}

fn state(queue: &mut Queue, id: JobId) -> State {
    queue.job(id).unwrap().state
}

#[test]
fn a_job_is_there_for_the_next_process_as_it_was_added() {
    let (home, mut queue) = queue();
    let first = queue.add(&spec("train"), 5.0).unwrap();
    let after = Spec { after: vec![first], name: Some("둘".into()), memory: None, ..spec("adapt") };
    let second = queue.add(&after, 6.0).unwrap();
    drop(queue);
    let mut again = Queue::open(home.path()).unwrap();
    let jobs = again.jobs().unwrap();
    let expected = Job { id: second, spec: after, added: 6.0, since: 6.0, ..job(2) };
    assert_eq!((jobs[0].id, &jobs[1]), (first, &expected));
    assert_eq!(again.find("둘").unwrap().id, second);
    assert_eq!(again.find("1").unwrap().id, first);
}

#[test]
fn a_job_cannot_follow_one_that_is_not_there() {
    let (_home, mut queue) = queue();
    let error = queue.add(&Spec { after: vec![JobId(7)], ..spec("train") }, 5.0).unwrap_err();
    assert!(matches!(&error, QueueError::Unknown { reference } if reference == "7"), "{error}");
    assert!(queue.jobs().unwrap().is_empty());
}

#[test]
fn numbers_are_never_given_twice() {
    let (_home, mut queue) = queue();
    let first = queue.add(&spec("train"), 5.0).unwrap();
    queue.remove(first).unwrap();
    assert!(queue.add(&spec("train"), 6.0).unwrap() > first);
}

#[test]
fn an_attempt_ends_once_whoever_says_so_first() {
    let (home, mut daemon) = queue();
    let id = daemon.add(&spec("train"), 5.0).unwrap();
    assert!(daemon.begin(id, 2, 10.0).unwrap());
    assert!(!daemon.begin(id, 2, 10.0).unwrap(), "it was started twice");
    let mut child = Queue::open(home.path()).unwrap();
    assert!(child.claim(id, 77).unwrap());
    // A process that the job has started finds the same variables.
    assert!(!child.claim(id, 78).unwrap());
    assert_eq!(child.finish(id, &End::Exited(0), 12.5).unwrap(), Some(State::Done));
    assert_eq!(daemon.finish(id, &End::Killed(9), 13.0).unwrap(), None);
    let job = daemon.job(id).unwrap();
    assert_eq!((job.state, job.since, job.attempt.pid, job.attempt.seconds), (State::Done, 12.5, Some(77), 2.5));
}

#[test]
fn a_job_tried_again_remembers_when_it_first_began() {
    let (_home, mut queue) = queue();
    let id = queue.add(&spec("train"), 5.0).unwrap();
    queue.begin(id, 2, 10.0).unwrap();
    queue.finish(id, &End::Lost, 20.0).unwrap();
    queue.begin(id, 2, 30.0).unwrap();
    let attempt = queue.job(id).unwrap().attempt;
    assert_eq!((attempt.number, attempt.first_started, attempt.started), (2, Some(10.0), Some(30.0)));
    assert_eq!(attempt.threads, Some(2));
    // The last attempt is the one that counts.
    assert!(queue.claim(id, 5).unwrap());
    assert_eq!(queue.job(id).unwrap().attempt.pid, Some(5));
}

#[test]
fn a_wish_to_cancel_is_not_taken_back() {
    let (_home, mut queue) = queue();
    let id = queue.add(&spec("train"), 5.0).unwrap();
    queue.begin(id, 2, 10.0).unwrap();
    assert!(queue.cancel(id, 11.0).unwrap());
    assert!(queue.ask(id, Wish::Stop).unwrap());
    queue.finish(id, &End::Exited(130), 12.0).unwrap();
    assert_eq!(state(&mut queue, id), State::Cancelled);
    queue.retry(id, 13.0).unwrap();
    assert_eq!(state(&mut queue, id), State::Waiting);
}

#[test]
fn a_paused_job_waits_again_when_it_is_resumed() {
    let (_home, mut queue) = queue();
    let id = queue.add(&spec("train"), 5.0).unwrap();
    assert!(!queue.pause(id, 6.0).unwrap());
    assert!(!queue.begin(id, 2, 7.0).unwrap());
    queue.resume(id, 8.0).unwrap();
    assert!(queue.begin(id, 2, 9.0).unwrap());
    let error = queue.resume(id, 9.0).unwrap_err();
    assert_eq!(error.to_string(), "job 1 is running: it cannot be resumed");
}

#[test]
fn a_job_that_others_wait_for_is_removed_once_it_is_done() {
    let (_home, mut queue) = queue();
    let first = queue.add(&spec("train"), 5.0).unwrap();
    let second = queue.add(&Spec { after: vec![first], ..spec("predict") }, 6.0).unwrap();
    let error = queue.remove(first).unwrap_err();
    assert_eq!(error.to_string(), "job 1 is not done, and job 2 waits for it; remove those first");
    queue.begin(first, 2, 7.0).unwrap();
    queue.finish(first, &End::Exited(0), 8.0).unwrap();
    queue.remove(first).unwrap();
    assert!(queue.job(second).unwrap().spec.after.is_empty());
}

#[test]
fn a_job_late_for_its_deadline_is_dropped_and_can_be_tried_without_it() {
    let (_home, mut queue) = queue();
    let id = queue.add(&Spec { deadline: Some(10.0), ..spec("train") }, 5.0).unwrap();
    assert_eq!((queue.drop_late(9.0).unwrap(), queue.drop_late(10.0).unwrap()), (0, 1));
    assert_eq!(state(&mut queue, id), State::Dropped);
    queue.retry(id, 11.0).unwrap();
    let job = queue.job(id).unwrap();
    assert_eq!((job.state, job.spec.deadline), (State::Waiting, None));
}

#[test]
fn what_decides_is_what_is_open_and_what_that_waits_for() {
    let (_home, mut queue) = queue();
    let ids: Vec<JobId> = (0..4).map(|_| queue.add(&spec("train"), 5.0).unwrap()).collect();
    let last = queue.add(&Spec { after: vec![ids[1]], ..spec("predict") }, 6.0).unwrap();
    for id in &ids[..3] {
        queue.begin(*id, 2, 7.0).unwrap();
    }
    for id in &ids[..2] {
        queue.finish(*id, &End::Exited(2), 8.0).unwrap();
    }
    let open: Vec<JobId> = queue.open_jobs().unwrap().iter().map(|job| job.id).collect();
    assert_eq!(open, [ids[1], ids[2], ids[3], last]);
}

#[test]
fn orders_outlive_those_who_gave_them_and_a_new_daemon_is_not_told_to_stop() {
    let (home, mut queue) = queue();
    queue.set_paused(true, 5.0).unwrap();
    queue.set_paused(true, 6.0).unwrap();
    queue.set_stop(true).unwrap();
    let mut daemon = Queue::open(home.path()).unwrap();
    let capacity = schedule::Capacity { threads: 2, memory: Some(1 << 30) };
    let mut said = daemon.begin_daemon(7, capacity, 2, 8.0).unwrap();
    assert_eq!(queue.orders().unwrap(), Orders { paused: true, stop: false, since: 5.0 });
    (said.seen, said.idle, said.missed, said.memory) = (20.0, 3.5, 0.25, Some(1 << 31));
    daemon.record_daemon(&said).unwrap();
    assert_eq!(queue.last_daemon().unwrap(), Some(said));
}

#[test]
fn a_change_by_another_process_is_noticed_without_reading_a_table() {
    let (home, mut queue) = queue();
    let mut other = Queue::open(home.path()).unwrap();
    let before = queue.data_version().unwrap();
    queue.set_paused(true, 5.0).unwrap();
    assert_eq!(queue.data_version().unwrap(), before);
    other.add(&spec("train"), 6.0).unwrap();
    assert_ne!(queue.data_version().unwrap(), before);
}

#[test]
fn two_jobs_of_a_name_are_told_apart_by_number() {
    let (_home, mut queue) = queue();
    let named = Spec { name: Some("kcbert".into()), ..spec("train") };
    queue.add(&named, 5.0).unwrap();
    queue.add(&named, 6.0).unwrap();
    let error = queue.find("kcbert").unwrap_err();
    assert_eq!(error.to_string(), "2 jobs are named \"kcbert\" (1, 2); say which by its number");
}
