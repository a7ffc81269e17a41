//! The gateway as its service manager sees it: started, ready, alive, stopping.
//!
//! A thread of its own tells it, so that an event loop that hangs is not what says that all is well. While the gateway
//! starts or ends it asks for more time instead, as long as the essential parts make progress.
//!
//! Never: a look at whether the gateway is ready, but to say so.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::Clock;
use crate::lifecycle::supervisor::{Message, Supervisor};
use crate::lifecycle::watchdog::{Part, Progress, Pulse, Watchdog};

/// How often the thread comes round where no watchdog wants to hear more often.
const EVERY_MAX: Duration = Duration::from_secs(10);
/// A start is given more time for so long: recovery and purges that were begun go on, step by step, at the next one.
const START_MAX: Duration = Duration::from_secs(3600);
/// How much time is asked for at once, at least.
const LONGER_LEAST: Duration = Duration::from_secs(60);
/// The event loop may be without progress for so long where no watchdog says otherwise.
const LOOP_PATIENCE: Duration = Duration::from_secs(60);

/// What the gateway does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    Stopping,
}

/// What the thread is told.
enum Turn {
    Running { parts: Vec<Part>, status: Box<dyn Fn() -> String + Send> },
    Stopping,
}

/// Tells the service manager how the gateway is, until it is dropped.
pub(super) struct Supervised {
    supervisor: Arc<Supervisor>,
    clock: Arc<dyn Clock>,
    turns: Option<Sender<Turn>>,
    thread: Option<JoinHandle<()>>,
}

impl Supervised {
    /// Begins with a gateway that starts; called within the runtime whose progress counts.
    pub(super) fn start(supervisor: Supervisor, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let supervisor = Arc::new(supervisor);
        if !supervisor.listens() {
            return Ok(Self { supervisor, clock, turns: None, thread: None });
        }
        let every = every(supervisor.watchdog());
        let (turns, told) = mpsc::channel();
        let mut teller = Teller {
            supervisor: Arc::clone(&supervisor),
            watchdog: Watchdog::default(),
            phase: Phase::Starting,
            began: clock.monotonic(),
            clock: Arc::clone(&clock),
            every,
            status: Box::new(|| "starting".to_owned()),
            told: String::new(),
            stalled: None,
        };
        teller.watchdog.watch(event_loop(every, supervisor.watchdog()));
        let run = move || teller.run(&told);
        let thread = thread::Builder::new().name("watchdog".to_owned()).spawn(run)?;
        Ok(Self { supervisor, clock, turns: Some(turns), thread: Some(thread) })
    }

    /// The listeners are open, and these parts of the gateway are essential, too.
    pub(super) fn running(&self, parts: Vec<Part>, status: impl Fn() -> String + Send + 'static) {
        self.supervisor.tell(&[Message::Ready, Message::Status(status())]);
        self.turn(Turn::Running { parts, status: Box::new(status) });
    }

    /// Settings are read again by `act`.
    pub(super) fn reload(&self, act: impl FnOnce()) {
        self.supervisor.tell(&[Message::Reloading { since: self.clock.monotonic() }]);
        act();
        self.supervisor.tell(&[Message::Ready]);
    }

    /// The gateway ends.
    pub(super) fn stopping(&self) {
        self.supervisor.tell(&[Message::Stopping]);
        self.turn(Turn::Stopping);
    }

    fn turn(&self, turn: Turn) {
        if let Some(turns) = &self.turns {
            // The thread is there as long as this is.
            drop(turns.send(turn));
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.turns.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The thread's own.
struct Teller {
    supervisor: Arc<Supervisor>,
    watchdog: Watchdog,
    clock: Arc<dyn Clock>,
    phase: Phase,
    began: Duration,
    every: Duration,
    status: Box<dyn Fn() -> String + Send>,
    /// The status that was told last.
    told: String,
    /// The part without progress, where there was one.
    stalled: Option<&'static str>,
}

impl Teller {
    fn run(&mut self, turns: &mpsc::Receiver<Turn>) {
        loop {
            match turns.recv_timeout(self.every) {
                Ok(Turn::Running { parts, status }) => {
                    self.phase = Phase::Running;
                    parts.into_iter().for_each(|part| self.watchdog.watch(part));
                    self.status = status;
                }
                Ok(Turn::Stopping) => self.phase = Phase::Stopping,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.come_round();
        }
    }

    fn come_round(&mut self) {
        let now = self.clock.monotonic();
        let stalled = self.watchdog.stalled(now);
        if let Some(part) = stalled.filter(|part| self.stalled != Some(part)) {
            tracing::error!(
                part,
                "no progress, so the watchdog is not told that the gateway is alive; the service manager starts it anew"
            );
        }
        self.stalled = stalled;
        let starting_for = now.saturating_sub(self.began);
        let mut messages: Vec<_> = said(self.phase, stalled.is_none(), starting_for, self.every).into_iter().collect();
        let status = (self.status)();
        if status != self.told {
            messages.push(Message::Status(status.clone()));
            self.told = status;
        }
        self.supervisor.tell(&messages);
    }
}

/// What there is to say of a process that is alive, or not.
fn said(phase: Phase, alive: bool, starting_for: Duration, every: Duration) -> Option<Message> {
    let longer = Message::Longer(LONGER_LEAST.max(every * 3));
    match phase {
        _ if !alive => None,
        Phase::Starting => (starting_for < START_MAX).then_some(longer),
        Phase::Running => Some(Message::Alive),
        Phase::Stopping => Some(longer),
    }
}

/// A quarter of what the watchdog asks for, so that two late turns in a row do no harm.
fn every(watchdog: Option<Duration>) -> Duration {
    watchdog.map_or(EVERY_MAX, |watchdog| (watchdog / 4).clamp(Duration::from_millis(1), Duration::from_secs(60)))
}

/// The event loop, which raises its count twice as often as it is looked at.
fn event_loop(every: Duration, watchdog: Option<Duration>) -> Part {
    let pulse = Pulse::default();
    let beating = pulse.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(every / 2);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            beating.beat();
        }
    });
    let patience = watchdog.map_or(LOOP_PATIENCE, |watchdog| watchdog / 2);
    Part { name: "event loop", patience, progress: Box::new(move || Progress::At(pulse.count())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(30);

    #[test]
    fn watchdog_is_fed_at_less_than_half_of_what_it_asks_for() {
        for watchdog in [Duration::from_millis(200), Duration::from_secs(120), Duration::from_secs(3600)] {
            assert!(every(Some(watchdog)) * 2 < watchdog, "{watchdog:?}");
        }
        assert_eq!(every(None), EVERY_MAX);
    }

    #[test]
    fn process_without_progress_is_not_called_alive_and_gets_no_more_time() {
        for phase in [Phase::Starting, Phase::Running, Phase::Stopping] {
            assert_eq!(said(phase, false, Duration::ZERO, EVERY), None, "{phase:?}");
        }
    }

    #[test]
    fn start_and_end_that_make_progress_get_more_time_than_passes_until_it_is_asked_again() {
        for phase in [Phase::Starting, Phase::Stopping] {
            let Some(Message::Longer(time)) = said(phase, true, Duration::from_secs(600), EVERY) else {
                panic!("{phase:?} asks for time")
            };
            assert!(time > EVERY * 2);
        }
        assert_eq!(said(Phase::Running, true, START_MAX, EVERY), Some(Message::Alive));
    }

    #[test]
    fn start_is_not_given_time_for_ever() {
        assert_eq!(said(Phase::Starting, true, START_MAX, EVERY), None);
    }
}
