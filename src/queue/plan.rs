//! The next state of one job: decided here, from what happened, without a clock, a store or a network.
//!
//! ```text
//!              ┌────────────── again: back-off, Retry-After ◀──────────────┐
//!  Pinged ─▶ Waiting ──Started──▶ Running ──Delivered──▶ Delivered ──Filed──▶ gone from the queue
//!              │  ▲                  │
//!      Overdue │  └── Retry, Pinged ─┼───────────┐
//!              ▼                     ▼           │
//!           Ended(Expired)        Ended(Refused, NotPermitted, Gone)
//! ```
//! A job whose data nobody may have, or whose file is held already, goes from wherever it is. A ping that comes while
//! a request runs does not start a second one: the answer of the first is then one to an older ping, and whatever it
//! comes to, the job is tried again.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::model::time::UnixSeconds;
use crate::queue::job::{End, Job, Phase, Setback, State};

/// How long to wait after the gateway itself could not store an answer, in seconds: at least, and by jitter longer.
const NOT_STORED_WAIT_S: i64 = 5;
const NOT_STORED_JITTER_S: f64 = 10.0;
/// A wait that would end too late ends so long before the deadline, in seconds: time for one last request.
const LAST_CHANCE_S: i64 = 60;

/// Something that happened to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A ping came for it, the one that the event is of; a newer one renews the job.
    Pinged,
    /// A request for it begins.
    Started,
    /// Its deadline has passed.
    Overdue,
    /// An answer without data came.
    Answered {
        /// Its status.
        status: u16,
        /// The wait that it asks for.
        retry_after: Option<Duration>,
        /// The file that is asked for is in the store already.
        held: bool,
    },
    /// No whole answer came, or it could not be taken.
    Failed {
        /// What happened.
        setback: Setback,
        /// The beginning of the data had come.
        data_began: bool,
    },
    /// The answer is durable in the journal.
    Delivered,
    /// The answer is filed.
    Filed,
    /// A person wants it tried again.
    Retry,
    /// The process started.
    Restarted,
    /// Nobody may have the data any more.
    Dropped,
    /// The user has withdrawn the permission since: nothing is asked for.
    NotPermitted,
}

/// What to do about the next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing has changed.
    Nothing,
    /// To be kept in memory; a restart may forget it.
    Keep,
    /// To be made durable in the rows.
    Persist,
    /// The job is over: its rows go.
    Remove,
}

/// What an event leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The next state.
    pub state: State,
    /// What to do about it.
    pub action: Action,
}

/// What decides besides the job and the event.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The time.
    pub now: UnixSeconds,
    /// A random number in [0, 1).
    pub jitter: f64,
    /// How waits grow.
    pub backoff: Backoff,
}

/// What a status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The data follow.
    Data,
    /// It may work another time.
    Again,
    /// It never will.
    Never(End),
}

/// What a status of the API means. Source: Activity API 1.2.3, "HTTP Status Codes"; 408, 425 and 429 as in HTTP.
pub const fn meaning(status: u16) -> Meaning {
    match status {
        200 => Meaning::Data,
        410 => Meaning::Never(End::Gone),
        412 => Meaning::Never(End::NotPermitted),
        408 | 425 | 429 => Meaning::Again,
        300..=499 => Meaning::Never(End::Refused),
        _ => Meaning::Again,
    }
}

/// What becomes of a job by an event of one of its pings: `of` is the ping's place in the journal.
pub fn step(job: &Job, of: u64, event: Event, turn: &Turn) -> Step {
    match event {
        Event::Pinged if of > job.ping => pinged(job, turn),
        Event::Dropped if of == job.ping => over(job),
        Event::Filed if of == job.ping => over(job),
        Event::Pinged | Event::Filed => unchanged(job),
        Event::Restarted => restarted(job, turn),
        Event::Retry => retry(job, turn),
        Event::Started => match job.state.phase {
            Phase::Waiting(_) => keep(started(job, turn.now)),
            Phase::Running | Phase::Delivered | Phase::Ended(..) => unchanged(job),
        },
        Event::Overdue => match job.state.phase {
            Phase::Waiting(_) | Phase::Running if turn.now >= job.deadline => end(job, End::Expired, turn),
            // A newer ping came in between.
            Phase::Running => keep(State { phase: Phase::Waiting(turn.now), ..job.state }),
            Phase::Waiting(_) | Phase::Delivered | Phase::Ended(..) => unchanged(job),
        },
        Event::Answered { .. } | Event::Failed { .. } | Event::Delivered | Event::Dropped | Event::NotPermitted => {
            match job.state.phase {
                Phase::Running if of == job.ping => outcome(job, event, turn),
                Phase::Running => keep(State { phase: Phase::Waiting(turn.now), ..job.state }),
                Phase::Waiting(_) | Phase::Delivered | Phase::Ended(..) => unchanged(job),
            }
        }
    }
}

/// The state of a job that waited, while its request runs.
pub(crate) fn started(job: &Job, now: UnixSeconds) -> State {
    // Nothing is asked for any more where the time is over.
    let attempts = job.state.attempts.saturating_add(u32::from(now < job.deadline));
    State { phase: Phase::Running, attempts, ..job.state }
}

/// A newer ping: everything begins anew, with another URL. What runs is left to run out.
fn pinged(job: &Job, turn: &Turn) -> Step {
    let phase = match job.state.phase {
        Phase::Running => Phase::Running,
        Phase::Waiting(_) | Phase::Delivered | Phase::Ended(..) => Phase::Waiting(turn.now),
    };
    Step { state: State { phase, attempts: 0, last: None, begun: false }, action: Action::Persist }
}

fn restarted(job: &Job, turn: &Turn) -> Step {
    match job.state.phase {
        // What was filed is gone from the rows; so the answer to this one is not.
        Phase::Running | Phase::Delivered => {
            let last = if job.state.begun { Some(Setback::Cut) } else { job.state.last };
            keep(State { phase: Phase::Waiting(turn.now), last, ..job.state })
        }
        Phase::Waiting(_) | Phase::Ended(..) => unchanged(job),
    }
}

fn retry(job: &Job, turn: &Turn) -> Step {
    match job.state.phase {
        _ if turn.now >= job.deadline => unchanged(job),
        Phase::Ended(..) => {
            let state = State { phase: Phase::Waiting(turn.now), attempts: 0, ..job.state };
            Step { state, action: Action::Persist }
        }
        Phase::Waiting(at) if at > turn.now => keep(State { phase: Phase::Waiting(turn.now), ..job.state }),
        Phase::Waiting(_) | Phase::Running | Phase::Delivered => unchanged(job),
    }
}

/// What the request that runs has come to.
fn outcome(job: &Job, event: Event, turn: &Turn) -> Step {
    match event {
        Event::Delivered => keep(State { phase: Phase::Delivered, last: None, ..job.state }),
        Event::Answered { status, retry_after, held } => answered(job, status, retry_after, held, turn),
        Event::Failed { setback, data_began } => failed(job, setback, data_began, turn),
        Event::NotPermitted => end(job, End::NotPermitted, turn),
        Event::Pinged
        | Event::Started
        | Event::Overdue
        | Event::Filed
        | Event::Retry
        | Event::Restarted
        | Event::Dropped => unchanged(job),
    }
}

fn answered(job: &Job, status: u16, retry_after: Option<Duration>, held: bool, turn: &Turn) -> Step {
    let setback = Setback::Status(status);
    match meaning(status) {
        Meaning::Never(End::Gone) if held => over(job),
        // The only download broke off, and Garmin counted it: a 400 says so where the token went with it.
        Meaning::Never(_) if job.state.begun && matches!(status, 400 | 410) => {
            end(&with_last(job, Setback::Cut), End::Gone, turn)
        }
        Meaning::Never(ended) => end(&with_last(job, setback), ended, turn),
        Meaning::Data | Meaning::Again => again(job, setback, retry_after, job.state.begun, turn),
    }
}

fn failed(job: &Job, setback: Setback, data_began: bool, turn: &Turn) -> Step {
    // Where nothing is known of the answer, Garmin may have counted the download all the same.
    let may_count = data_began || matches!(setback, Setback::Cut | Setback::TimedOut);
    let begun = job.state.begun || (job.is_file() && may_count);
    match setback {
        Setback::TooLarge | Setback::Elsewhere => {
            let mut ended = with_last(job, setback);
            ended.state.begun = begun;
            end(&ended, End::Refused, turn)
        }
        Setback::NotStored => {
            #[expect(clippy::cast_possible_truncation, reason = "the number is below ten")]
            let jitter = (turn.jitter.clamp(0.0, 1.0) * NOT_STORED_JITTER_S) as i64;
            let at = within(job, turn.now.plus(NOT_STORED_WAIT_S + jitter), turn);
            let attempts = job.state.attempts.saturating_sub(1);
            let state = State { phase: Phase::Waiting(at), attempts, last: Some(setback), begun };
            Step { state, action: marked(job) }
        }
        Setback::Status(_)
        | Setback::Unreachable
        | Setback::Tls
        | Setback::TimedOut
        | Setback::Cut
        | Setback::Malformed => again(job, setback, None, begun, turn),
    }
}

fn again(job: &Job, setback: Setback, asked: Option<Duration>, begun: bool, turn: &Turn) -> Step {
    if turn.now >= job.deadline {
        return end(&with_last(job, setback), End::Expired, turn);
    }
    let wait = turn.backoff.wait_or_asked(job.state.attempts, turn.jitter, asked);
    // Times are whole seconds; a wait of none would be no wait.
    let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX).saturating_add(1);
    let at = within(job, turn.now.plus(seconds), turn);
    let state = State { phase: Phase::Waiting(at), last: Some(setback), begun, ..job.state };
    Step { state, action: marked(job) }
}

/// A file's row bears a mark of the request; what is known afterwards has to take its place. Of anything else a
/// restart may forget how often it was tried.
fn marked(job: &Job) -> Action {
    if job.is_file() { Action::Persist } else { Action::Keep }
}

/// This time, or where that is too late, one that leaves room for a last request; the deadline where there is none.
fn within(job: &Job, at: UnixSeconds, turn: &Turn) -> UnixSeconds {
    let last_chance = job.deadline.plus(-LAST_CHANCE_S);
    if at <= last_chance {
        at
    } else if turn.now < last_chance {
        last_chance
    } else {
        at.min(job.deadline)
    }
}

fn with_last(job: &Job, setback: Setback) -> Job {
    Job { state: State { last: Some(setback), ..job.state }, ..job.clone() }
}

fn end(job: &Job, end: End, turn: &Turn) -> Step {
    Step { state: State { phase: Phase::Ended(end, turn.now), ..job.state }, action: Action::Persist }
}

fn over(job: &Job) -> Step {
    Step { state: job.state, action: Action::Remove }
}

fn keep(state: State) -> Step {
    Step { state, action: Action::Keep }
}

fn unchanged(job: &Job) -> Step {
    Step { state: job.state, action: Action::Nothing }
}

#[cfg(test)]
mod tests;
