//! The order of jobs by example, and against a model that looks at everything.

use proptest::prelude::*;

use super::*;
use crate::model::summary::SummaryType;
use crate::queue::job::State;

const NOW: UnixSeconds = UnixSeconds(1_000);

fn id(number: u8) -> PullId {
    PullId([number; 12])
}

fn owner(number: u8) -> OwnerId {
    OwnerId::from_bytes([number; 16])
}

fn job(number: u8, name: &str, host: u16, at: i64, deadline: i64) -> Job {
    Job {
        id: id(number),
        ping: u64::from(number),
        summary_type: SummaryType::named(name),
        host,
        received: UnixSeconds(0),
        deadline: UnixSeconds(deadline),
        state: State { phase: Phase::Waiting(UnixSeconds(at)), attempts: 0, last: None, begun: false },
        rows: vec![(owner(number % 3), KeyDigest([number; 10]))],
    }
}

fn schedule(concurrency: usize, jobs: impl IntoIterator<Item = Job>) -> Schedule {
    let mut schedule = Schedule::new(Settings { concurrency, jobs_max: 1000 });
    for job in jobs {
        schedule.insert(job).expect("room");
    }
    schedule
}

fn taken(schedule: &mut Schedule) -> Vec<PullId> {
    std::iter::from_fn(|| schedule.take(NOW)).map(|job| job.id).collect()
}

#[test]
fn files_come_first_then_the_nearest_deadline_then_the_oldest() {
    let jobs = [
        job(1, "dailies", 0, 0, 5000),
        job(2, "dailies", 0, 900, 4000),
        job(3, "dailies", 0, 0, 4000),
        job(4, "activityFiles", 0, 0, 9000),
        job(5, "activityFiles", 0, 1001, 2000),
    ];
    assert_eq!(taken(&mut schedule(9, jobs)), [id(4), id(2), id(3), id(1)]);
}

#[test]
fn host_that_does_not_answer_holds_only_its_own_slots() {
    let dead = (1..=5).map(|number| job(number, "activityFiles", 0, 0, 4000));
    let mut schedule = schedule(2, dead.chain([job(6, "dailies", 1, 0, 5000)]));
    assert_eq!(taken(&mut schedule), [id(1), id(2), id(6)]);
    assert_eq!(schedule.next_at(), Some(UnixSeconds(4000)), "nothing before a deadline, as long as nothing ends");
    schedule.release(&id(2));
    assert_eq!(taken(&mut schedule), [id(3)]);
}

#[test]
fn job_is_not_taken_again_while_its_request_runs() {
    let mut schedule = schedule(4, [job(1, "activityFiles", 0, 0, 4000)]);
    assert_eq!(taken(&mut schedule), [id(1)]);
    schedule.update(&id(1), |job| job.state.phase = Phase::Waiting(NOW));
    assert_eq!(taken(&mut schedule), []);
    assert_eq!(schedule.next_at(), None);
    // Even where it was taken out and came back.
    schedule.remove(&id(1));
    schedule.insert(job(1, "activityFiles", 0, 0, 900)).expect("room");
    assert_eq!(taken(&mut schedule), []);
    schedule.release(&id(1));
    assert_eq!(taken(&mut schedule), [id(1)]);
}

#[test]
fn deadline_is_seen_though_every_slot_is_taken() {
    let mut schedule = schedule(1, [job(1, "dailies", 0, 0, 4000), job(2, "dailies", 0, 0, 4500)]);
    assert_eq!(taken(&mut schedule), [id(1)]);
    assert_eq!(schedule.nearest_deadline(), Some(UnixSeconds(4500)));
    assert_eq!(schedule.next_at(), Some(UnixSeconds(4500)));
    assert_eq!(schedule.take(UnixSeconds(4500)).map(|job| (job.id, job.state.attempts)), Some((id(2), 0)));
}

#[test]
fn limit_refuses_another_job_but_renews_one_that_is_there() {
    let mut schedule = Schedule::new(Settings { concurrency: 1, jobs_max: 1 });
    assert_eq!(schedule.insert(job(1, "dailies", 0, 0, 4000)), Ok(()));
    assert_eq!(schedule.insert(job(2, "dailies", 0, 0, 4000)), Err(Full));
    assert_eq!(schedule.insert(job(1, "dailies", 0, 0, 5000)), Ok(()));
    assert_eq!(schedule.nearest_deadline(), Some(UnixSeconds(5000)));
}

#[test]
fn rows_belong_to_the_newest_ping_alone() {
    let mut schedule = schedule(1, [job(1, "dailies", 0, 0, 4000)]);
    assert!(schedule.rows(&PullRef { id: id(1), ping: 1 }).is_some_and(|rows| rows.len() == 1));
    schedule.update(&id(1), |job| job.ping = 9);
    assert_eq!(schedule.rows(&PullRef { id: id(1), ping: 1 }), None);
}

#[test]
fn forgotten_owner_leaves_the_rows_of_others() {
    let mut shared = job(1, "dailies", 0, 0, 4000);
    shared.rows.push((owner(7), KeyDigest([7; 10])));
    let mut schedule = schedule(1, [shared, job(4, "dailies", 0, 0, 4000), job(2, "dailies", 0, 0, 4000)]);
    let forgotten = schedule.forget(&owner(1));
    assert_eq!(forgotten, [(id(1), KeyDigest([1; 10])), (id(4), KeyDigest([4; 10]))]);
    assert_eq!(schedule.list(&Filter::default()).map(|job| job.id).collect::<Vec<_>>(), [id(1), id(2)]);
    assert_eq!(schedule.get(&id(1)).map(|job| job.rows.clone()), Some(vec![(owner(7), KeyDigest([7; 10]))]));
}

#[test]
fn list_keeps_to_its_filter() {
    let mut schedule = schedule(1, (1..=6).map(|number| job(number, "dailies", 0, 0, 4000)));
    schedule.update(&id(2), |job| job.state.phase = Phase::Ended(End::Gone, NOW));
    schedule.update(&id(5), |job| job.state.phase = Phase::Ended(End::Refused, NOW));
    let list = |filter: Filter| schedule.list(&filter).map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(list(Filter { ended_only: true, ..Filter::default() }), [id(2), id(5)]);
    assert_eq!(list(Filter { owner: Some(owner(0)), ..Filter::default() }), [id(3), id(6)]);
    assert_eq!(list(Filter { after: Some(id(4)), ..Filter::default() }), [id(5), id(6)]);
    assert_eq!(schedule.counts().ended, [1, 0, 1, 0]);
}

/// What an entry of a `BTreeMap` or `BTreeSet` takes at most: nodes are at least 5/11 full, and an inner node adds a
/// pointer to each of its entries.
fn entry_bytes<T>() -> usize {
    (size_of::<T>() + size_of::<usize>()) * 11 / 5
}

#[test]
fn job_takes_less_memory_than_its_limit() {
    let rows = 2 * size_of::<(OwnerId, KeyDigest)>();
    // Two orders at most: where it stands in line, and its deadline.
    let line = entry_bytes::<Order>().max(entry_bytes::<(UnixSeconds, PullId)>());
    let indices = 2 * entry_bytes::<(OwnerId, PullId)>() + line + entry_bytes::<(UnixSeconds, PullId)>();
    // What the allocator rounds up to, and keeps for itself.
    let allocation = 32;
    let bytes = entry_bytes::<(PullId, Job)>() + rows + allocation + indices;
    assert!(bytes <= JOB_BYTES_MAX, "{bytes} bytes");
}

/// The same by looking at everything.
#[derive(Default)]
struct Naive {
    jobs: Vec<Job>,
    slots: Vec<(PullId, u16)>,
}

impl Naive {
    fn take(&mut self, now: UnixSeconds, concurrency: usize) -> Option<PullId> {
        let holds = |id: &PullId| self.slots.iter().any(|(slot, _)| slot == id);
        let waiting = |job: &&Job| matches!(job.state.phase, Phase::Waiting(_)) && !holds(&job.id);
        let overdue = self.jobs.iter().filter(waiting).filter(|job| job.deadline <= now);
        let is_due = |job: &&Job| {
            let busy = self.slots.iter().filter(|(_, host)| *host == job.host).count();
            matches!(job.state.phase, Phase::Waiting(at) if at <= now) && busy < concurrency
        };
        let due = self.jobs.iter().filter(waiting).filter(is_due);
        let chosen = overdue.min_by_key(|job| (job.deadline, job.id)).or_else(|| due.min_by_key(|job| order(job)))?;
        let (id, host) = (chosen.id, chosen.host);
        self.slots.push((id, host));
        let job = self.jobs.iter_mut().find(|job| job.id == id)?;
        job.state = plan::started(job, now);
        Some(id)
    }
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Job),
    Remove(u8),
    Phase(u8, Phase),
    Take(i64),
    Release(u8),
    Forget(u8),
}

fn ops() -> impl Strategy<Value = Op> {
    let number = 0_u8..12;
    let time = 0_i64..100;
    let phase = prop_oneof![
        time.clone().prop_map(|at| Phase::Waiting(UnixSeconds(at))),
        Just(Phase::Delivered),
        Just(Phase::Ended(End::Gone, NOW)),
    ];
    prop_oneof![
        3 => (number.clone(), any::<bool>(), 0_u16..3, time.clone(), 50_i64..120).prop_map(|(n, file, host, at, end)| {
            Op::Insert(job(n, if file { "activityFiles" } else { "epochs" }, host, at, end))
        }),
        1 => number.clone().prop_map(Op::Remove),
        2 => (number.clone(), phase).prop_map(|(n, phase)| Op::Phase(n, phase)),
        5 => time.prop_map(Op::Take),
        3 => number.prop_map(Op::Release),
        1 => (0_u8..3).prop_map(Op::Forget),
    ]
}

proptest! {
    #[test]
    fn schedule_does_what_looking_at_every_job_would(ops in prop::collection::vec(ops(), 1..120)) {
        const CONCURRENCY: usize = 2;
        let mut schedule = schedule(CONCURRENCY, []);
        let mut naive = Naive::default();
        let mut now = UnixSeconds(0);
        for op in ops {
            match op {
                Op::Insert(job) => {
                    naive.jobs.retain(|other| other.id != job.id);
                    naive.jobs.push(job.clone());
                    schedule.insert(job).expect("room");
                }
                Op::Remove(n) => {
                    naive.jobs.retain(|other| other.id != id(n));
                    schedule.remove(&id(n));
                }
                Op::Phase(n, phase) => {
                    naive.jobs.iter_mut().filter(|job| job.id == id(n)).for_each(|job| job.state.phase = phase);
                    schedule.update(&id(n), |job| job.state.phase = phase);
                }
                Op::Take(at) => {
                    now = now.max(UnixSeconds(at));
                    let expected = naive.take(now, CONCURRENCY);
                    let next_at = schedule.next_at();
                    prop_assert_eq!(next_at.is_some_and(|at| at <= now), expected.is_some());
                    prop_assert_eq!(schedule.take(now).map(|job| job.id), expected);
                }
                Op::Release(n) => {
                    naive.slots.retain(|(slot, _)| *slot != id(n));
                    schedule.release(&id(n));
                }
                Op::Forget(n) => {
                    naive.jobs.retain(|job| job.rows[0].0 != owner(n));
                    schedule.forget(&owner(n));
                }
            }
            let mut expected = naive.jobs.clone();
            expected.sort_by_key(|job| job.id);
            let jobs: Vec<Job> = schedule.list(&Filter::default()).cloned().collect();
            prop_assert_eq!(&jobs, &expected);
            let waiting = expected.iter().filter(|job| matches!(job.state.phase, Phase::Waiting(_)));
            prop_assert_eq!(schedule.nearest_deadline(), waiting.clone().map(|job| job.deadline).min());
            prop_assert_eq!(schedule.counts().waiting, waiting.count());
        }
    }
}
