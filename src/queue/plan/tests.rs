//! Every event in every phase, and the stories that they make up.

use super::*;
use crate::model::pull::PullId;
use crate::model::summary::SummaryType;

const RECEIVED: UnixSeconds = UnixSeconds(1_793_509_200);
const NOW: UnixSeconds = RECEIVED.plus(3600);
const DEADLINE: UnixSeconds = RECEIVED.plus(86_400);
const PING: u64 = 7;
const TURN: Turn = turn(NOW);

const fn turn(now: UnixSeconds) -> Turn {
    let backoff = Backoff { base: Duration::from_secs(10), cap: Duration::from_secs(600) };
    Turn { now, jitter: 0.5, backoff }
}

fn job(name: &str, phase: Phase) -> Job {
    Job {
        id: PullId(*b"twelve bytes"),
        ping: PING,
        summary_type: SummaryType::named(name),
        host: 0,
        received: RECEIVED,
        deadline: DEADLINE,
        state: State { phase, attempts: 2, last: Some(Setback::Unreachable), begun: false },
        rows: Vec::new(),
    }
}

fn file_begun(phase: Phase) -> Job {
    let mut job = job("activityFiles", phase);
    job.state.begun = true;
    job
}

const WAITING: Phase = Phase::Waiting(NOW.plus(100));
const ENDED: Phase = Phase::Ended(End::Refused, NOW.plus(-5));
const PHASES: [Phase; 4] = [WAITING, Phase::Running, Phase::Delivered, ENDED];

/// What an event leads to in each of [`PHASES`].
type Row = [(Phase, Action); 4];

const fn answered(status: u16) -> Event {
    Event::Answered { status, retry_after: None, held: false }
}

const fn failed(setback: Setback) -> Event {
    Event::Failed { setback, data_began: false }
}

#[test]
fn every_event_in_every_phase_leads_to_its_own_phase() {
    use Action::{Keep, Nothing, Persist, Remove};
    let same = [(WAITING, Nothing), (Phase::Running, Nothing), (Phase::Delivered, Nothing), (ENDED, Nothing)];
    let at_once = Phase::Waiting(NOW);
    let running = |phase: Phase, action: Action| [same[0], (phase, action), same[2], same[3]];
    let refused = Phase::Ended(End::Refused, NOW);
    // Half of 20 s by jitter, and the second that makes a wait of it.
    let again = Phase::Waiting(NOW.plus(11));
    let removed = PHASES.map(|phase| (phase, Remove));
    let outdated = running(at_once, Keep);

    let table: Vec<(u64, Event, Row)> = vec![
        (PING, Event::Pinged, same),
        (PING - 1, Event::Pinged, same),
        (
            PING + 1,
            Event::Pinged,
            [(at_once, Persist), (Phase::Running, Persist), (at_once, Persist), (at_once, Persist)],
        ),
        (PING, Event::Started, [(Phase::Running, Keep), same[1], same[2], same[3]]),
        (PING, Event::Overdue, running(at_once, Keep)),
        (PING, Event::Delivered, running(Phase::Delivered, Keep)),
        (PING, Event::Filed, removed),
        (PING - 1, Event::Filed, same),
        (PING, Event::Retry, [(at_once, Keep), same[1], same[2], (at_once, Persist)]),
        (PING, Event::Restarted, [same[0], (at_once, Keep), (at_once, Keep), same[3]]),
        (PING, Event::Dropped, removed),
        (PING, answered(301), running(refused, Persist)),
        (PING, answered(302), running(refused, Persist)),
        (PING, answered(400), running(refused, Persist)),
        (PING, answered(401), running(refused, Persist)),
        (PING, answered(403), running(refused, Persist)),
        (PING, answered(404), running(refused, Persist)),
        (PING, answered(451), running(refused, Persist)),
        (PING, answered(410), running(Phase::Ended(End::Gone, NOW), Persist)),
        (PING, Event::Answered { status: 410, retry_after: None, held: true }, running(Phase::Running, Remove)),
        (PING, answered(412), running(Phase::Ended(End::NotPermitted, NOW), Persist)),
        (PING, Event::NotPermitted, running(Phase::Ended(End::NotPermitted, NOW), Persist)),
        (PING, answered(202), running(again, Keep)),
        (PING, answered(204), running(again, Keep)),
        (PING, answered(408), running(again, Keep)),
        (PING, answered(425), running(again, Keep)),
        (PING, answered(429), running(again, Keep)),
        (PING, answered(500), running(again, Keep)),
        (PING, answered(503), running(again, Keep)),
        (PING, failed(Setback::Unreachable), running(again, Keep)),
        (PING, failed(Setback::Tls), running(again, Keep)),
        (PING, failed(Setback::TimedOut), running(again, Keep)),
        (PING, failed(Setback::Cut), running(again, Keep)),
        (PING, failed(Setback::Malformed), running(again, Keep)),
        (PING, failed(Setback::NotStored), running(Phase::Waiting(NOW.plus(10)), Keep)),
        (PING, failed(Setback::TooLarge), running(refused, Persist)),
        (PING, failed(Setback::Elsewhere), running(refused, Persist)),
        (PING - 1, answered(403), outdated),
        (PING - 1, failed(Setback::Cut), outdated),
        (PING - 1, Event::Delivered, outdated),
        (PING - 1, Event::Dropped, outdated),
        (PING - 1, Event::NotPermitted, outdated),
    ];
    for (of, event, expected) in table {
        for (phase, (next, action)) in PHASES.into_iter().zip(expected) {
            let step = step(&job("dailies", phase), of, event, &TURN);
            assert_eq!((step.state.phase, step.action), (next, action), "{event:?} of ping {of} in {phase:?}");
        }
    }
}

#[test]
fn retry_after_wins_over_the_back_off() {
    let event = |s| Event::Answered { status: 429, retry_after: Some(Duration::from_secs(s)), held: false };
    #[track_caller]
    fn check(event: Event, expected: UnixSeconds) {
        let step = step(&job("dailies", Phase::Running), PING, event, &TURN);
        assert_eq!(step.state.phase, Phase::Waiting(expected));
    }
    check(event(120), NOW.plus(121));
    check(event(1_000_000), NOW.plus(3601));
}

#[test]
fn wait_that_ends_too_late_leaves_time_for_one_last_request() {
    #[track_caller]
    fn check(left_s: i64, expected_left_s: i64) {
        let event = Event::Answered { status: 429, retry_after: Some(Duration::from_secs(3000)), held: false };
        let step = step(&job("dailies", Phase::Running), PING, event, &turn(DEADLINE.plus(-left_s)));
        assert_eq!(step.state.phase, Phase::Waiting(DEADLINE.plus(-expected_left_s)));
    }
    check(3100, 99);
    check(2000, 60);
    check(61, 60);
    check(60, 0);
    check(1, 0);
}

#[test]
fn job_expires_at_its_deadline_and_not_before() {
    let expire = |phase, now| step(&job("dailies", phase), PING, Event::Overdue, &turn(now)).state.phase;
    assert_eq!(expire(WAITING, DEADLINE.plus(-1)), WAITING);
    assert_eq!(expire(WAITING, DEADLINE), Phase::Ended(End::Expired, DEADLINE));
    assert_eq!(expire(Phase::Running, DEADLINE), Phase::Ended(End::Expired, DEADLINE));
    assert_eq!(expire(Phase::Delivered, DEADLINE), Phase::Delivered);
    let late = step(&job("dailies", Phase::Running), PING, answered(503), &turn(DEADLINE));
    assert_eq!(late.state.phase, Phase::Ended(End::Expired, DEADLINE));
    assert_eq!(late.state.last, Some(Setback::Status(503)));
    let retried = step(&job("dailies", Phase::Ended(End::Expired, DEADLINE)), PING, Event::Retry, &turn(DEADLINE));
    assert_eq!(retried.action, Action::Nothing, "a URL whose time is over is not tried again");
}

#[test]
fn broken_off_download_is_tried_again_and_then_reported_as_what_it_is() {
    let cut = Event::Failed { setback: Setback::Cut, data_began: true };
    let mut job = job("activityFiles", Phase::Running);
    let first = step(&job, PING, cut, &TURN);
    assert!(matches!(first.state.phase, Phase::Waiting(_)));
    assert!(first.state.begun);
    assert_eq!(first.action, Action::Persist);

    job.state = State { phase: Phase::Running, ..first.state };
    let busy = step(&job, PING, answered(503), &TURN);
    assert_eq!((busy.state.last, busy.state.begun), (Some(Setback::Status(503)), true));
    job.state = State { phase: Phase::Running, ..busy.state };
    for status in [400, 410] {
        let gone = step(&job, PING, answered(status), &TURN);
        assert_eq!(gone.state.phase, Phase::Ended(End::Gone, NOW), "{status}");
        assert_eq!(gone.state.last, Some(Setback::Cut), "{status}");
    }
    let consent = step(&job, PING, answered(403), &TURN);
    assert_eq!(consent.state.phase, Phase::Ended(End::Refused, NOW));
    assert_eq!(consent.state.last, Some(Setback::Status(403)));
}

#[test]
fn file_that_others_downloaded_is_gone_without_a_broken_download() {
    let gone = step(&job("activityFiles", Phase::Running), PING, answered(410), &TURN);
    assert_eq!(gone.state.phase, Phase::Ended(End::Gone, NOW));
    assert_eq!(gone.state.last, Some(Setback::Status(410)));
}

#[test]
fn download_counts_as_begun_where_garmin_may_have_counted_it() {
    #[track_caller]
    fn check(name: &str, setback: Setback, data_began: bool, expected: bool) {
        let step = step(&job(name, Phase::Running), PING, Event::Failed { setback, data_began }, &TURN);
        assert_eq!(step.state.begun, expected, "{name} {setback:?} {data_began}");
    }
    check("activityFiles", Setback::Unreachable, false, false);
    check("activityFiles", Setback::Tls, false, false);
    check("activityFiles", Setback::NotStored, false, false);
    check("activityFiles", Setback::NotStored, true, true);
    check("activityFiles", Setback::TimedOut, false, true);
    check("activityFiles", Setback::Cut, false, true);
    check("activityFiles", Setback::TooLarge, true, true);
    check("dailies", Setback::Cut, true, false);
}

#[test]
fn download_that_a_crash_cut_short_is_remembered_and_tried_again() {
    let restarted = step(&file_begun(Phase::Running), PING, Event::Restarted, &TURN);
    assert_eq!(restarted.state.phase, Phase::Waiting(NOW));
    assert_eq!((restarted.state.begun, restarted.state.last), (true, Some(Setback::Cut)));
}

#[test]
fn fault_of_the_gateway_itself_is_no_attempt() {
    let mut job = job("dailies", Phase::Running);
    job.state.attempts = 3;
    let step = step(&job, PING, failed(Setback::NotStored), &TURN);
    assert_eq!(step.state.attempts, 2);
}

#[test]
fn newer_ping_begins_anew() {
    for phase in PHASES {
        let renewed = step(&file_begun(phase), PING + 1, Event::Pinged, &TURN).state;
        assert_eq!((renewed.attempts, renewed.last, renewed.begun), (0, None, false), "{phase:?}");
    }
}

#[test]
fn request_counts_once_it_starts_and_not_where_the_time_is_over() {
    let start = |now| step(&job("dailies", WAITING), PING, Event::Started, &turn(now)).state.attempts;
    assert_eq!(start(NOW), 3);
    assert_eq!(start(DEADLINE), 2);
}
