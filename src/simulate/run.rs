//! A run: the days of a population, sent to a gateway as Garmin would, until everything has its end.

mod compose;

use std::{io, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval, sleep, timeout},
};

use crate::model::time::UnixSeconds;
use crate::simulate::account::Account;
use crate::simulate::callbacks::Callbacks;
use crate::simulate::large::{LargeBody, Layout, Tally};
use crate::simulate::ledger::Sending;
use crate::simulate::message::Wave;
use crate::simulate::outbox::Outbox;
use crate::simulate::plan::{self, DAY_S, Mode, Plan};
use crate::simulate::random::Random;
use crate::simulate::sender::{Body, Delivery, Sender};
use crate::simulate::user::Population;

/// At most this many notifications wait for their answer or for their next attempt.
const UNDER_WAY_MAX: usize = 256;
/// Fetches that end within this time are counted at once.
const COUNTING_REST: Duration = Duration::from_millis(20);
/// Samples in one item of a large body.
const LARGE_SAMPLES: u32 = 3600;

/// What is played.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The days and what they hold.
    pub plan: plan::Settings,
    /// How many users.
    pub users: usize,
    /// How many notifications are begun in a second; `None` as many as the gateway takes.
    pub per_second: Option<u32>,
    /// How often, in per mille, a notification is sent again though it was answered 200.
    pub sent_again: u64,
    /// The days on which the endpoint is on hold, counted from 0.
    pub on_hold: Range<u32>,
    /// Sends a body of activity details of this many bytes on the first day.
    pub large_bytes: Option<u64>,
    /// The run ends when nothing was fetched for so long.
    pub quiet: Duration,
}

/// Who takes part in a run.
pub struct Cast {
    /// Posts the notifications.
    pub sender: Arc<Sender>,
    /// Answers the callbacks; without it everything is pushed.
    pub callbacks: Option<Arc<Callbacks>>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Days that are over.
    pub days: u32,
    /// Notifications that have their end.
    pub notifications: usize,
    /// What was pinged and is still to be fetched.
    pub waiting: usize,
}

/// Plays the days; what came of it.
pub async fn play(settings: &Settings, cast: Cast, tell: &mut (dyn FnMut(Progress) + Send)) -> Account {
    let population = Population::new(settings.plan.seed, settings.users);
    let mut stage = Stage {
        settings,
        account: Account::new(&settings.plan, population),
        ticks: settings.per_second.map(ticks),
        under_way: JoinSet::new(),
        number: 0,
        cast,
    };
    stage.play(tell).await;
    stage.account
}

struct Stage<'a> {
    settings: &'a Settings,
    cast: Cast,
    account: Account,
    ticks: Option<Interval>,
    under_way: JoinSet<(Notes, Delivery)>,
    number: u64,
}

/// What a notification holds, by its places in the account.
#[derive(Default)]
struct Notes {
    pushed: Option<Sending>,
    windows: Vec<usize>,
    files: Vec<usize>,
    controls: Vec<usize>,
    large: Option<Tally>,
    is_sent_again: bool,
}

impl Stage<'_> {
    async fn play(&mut self, tell: &mut (dyn FnMut(Progress) + Send)) {
        let mut plan_settings = self.settings.plan.clone();
        if self.cast.callbacks.is_none() {
            plan_settings.mode = Mode::Push;
        }
        let mut plan = Plan::new(plan_settings, self.account.population.clone());
        let mut outbox: Outbox<(u32, Wave)> = Outbox::default();
        let mut day = 0;
        while let Some(waves) = plan.next_day() {
            let now = self.settings.plan.start.plus(i64::from(day) * DAY_S);
            if self.settings.on_hold.contains(&day) {
                outbox.hold();
            } else if outbox.is_held() {
                self.send_all(outbox.release(now)).await;
            }
            let going = waves.into_iter().filter_map(|wave| outbox.put(now, (day, wave))).collect();
            self.send_all(going).await;
            if day == 0 {
                self.send_large().await;
            }
            day += 1;
            tell(self.progress(day));
        }
        let end = self.settings.plan.start.plus(i64::from(day) * DAY_S);
        self.send_all(outbox.release(end)).await;
        self.account.waves_lost = outbox.lost();
        self.await_fetches(day, tell).await;
    }

    fn progress(&self, days: u32) -> Progress {
        Progress { days, notifications: self.account.notifications.len(), waiting: self.account.waiting() }
    }

    async fn send_all(&mut self, waves: Vec<(u32, Wave)>) {
        for (day, wave) in waves {
            for message in wave {
                let (body, notes) = self.compose(day, message);
                self.send(Body::Text(Bytes::from(body)), notes).await;
            }
            self.await_answers(0).await;
            self.note_fetches();
        }
    }

    async fn send(&mut self, body: Body, notes: Notes) {
        if let Some(ticks) = &mut self.ticks {
            ticks.tick().await;
        }
        self.await_answers(UNDER_WAY_MAX - 1).await;
        let (sender, number) = (Arc::clone(&self.cast.sender), self.number);
        self.number += 1;
        let mut random = Random::at(self.settings.plan.seed, &[u64::from(b'd'), number]);
        let again = random.below(1000) < self.settings.sent_again;
        self.under_way.spawn(async move {
            let delivery = sender.deliver(number, &body).await;
            let mut notes = notes;
            if again && delivery.failure.is_none() {
                // Whether the copy is taken too changes nothing.
                notes.is_sent_again = true;
                if sender.post(&body).await.is_err() {}
            }
            (notes, delivery)
        });
    }

    /// Waits until no more than this many notifications are under way.
    async fn await_answers(&mut self, left: usize) {
        while self.under_way.len() > left {
            // A task that panicked has told so; what it was to send counts as never answered.
            if let Some(Ok((notes, delivery))) = self.under_way.join_next().await {
                self.note(notes, delivery);
            }
        }
    }

    fn note(&mut self, notes: Notes, delivery: Delivery) {
        let account = &mut self.account;
        account.notifications.push((delivery, notes.is_sent_again));
        if let Some(tally) = notes.large {
            account.large = Some((tally, delivery.failure.is_none()));
        }
        if delivery.failure.is_some() {
            return;
        }
        if let Some(sending) = notes.pushed {
            account.pushes.acknowledged(sending);
        }
        notes.windows.iter().for_each(|place| account.windows[*place].is_acknowledged = true);
        notes.files.iter().for_each(|place| account.files[*place].is_acknowledged = true);
        notes.controls.iter().for_each(|place| account.controls[*place].is_acknowledged = true);
    }

    async fn send_large(&mut self) {
        let Some(bytes) = self.settings.large_bytes else { return };
        let (population, midnight) = (Arc::new(self.account.population.clone()), self.settings.plan.start);
        let counted = Arc::clone(&population);
        let count = move || large(&counted, midnight, bytes).write_to(&mut io::sink());
        let Ok(Ok(tally)) = tokio::task::spawn_blocking(count).await else { return };
        let make = move || {
            let (pieces, body) = mpsc::channel(4);
            let population = Arc::clone(&population);
            tokio::task::spawn_blocking(move || {
                // A connection that broke off takes no more pieces.
                large(&population, midnight, bytes).try_for_each(|piece| pieces.blocking_send(Ok(piece.into())).ok())
            });
            body
        };
        self.send(Body::Made(Arc::new(make)), Notes { large: Some(tally), ..Notes::default() }).await;
        self.await_answers(0).await;
    }

    fn note_fetches(&mut self) {
        if let Some(callbacks) = &self.cast.callbacks {
            self.account.fetches = callbacks.fetches();
        }
    }

    /// Waits until everything that was pinged has its end, or nobody fetches any more.
    async fn await_fetches(&mut self, day: u32, tell: &mut (dyn FnMut(Progress) + Send)) {
        let Some(mut ended) = self.cast.callbacks.as_ref().map(|callbacks| callbacks.ended()) else { return };
        loop {
            ended.borrow_and_update();
            self.note_fetches();
            tell(self.progress(day));
            if self.account.waiting() == 0 || timeout(self.settings.quiet, ended.changed()).await.is_err() {
                return;
            }
            sleep(COUNTING_REST).await;
        }
    }
}

fn large(population: &Population, midnight: UnixSeconds, bytes: u64) -> LargeBody<'_> {
    LargeBody::new(population.users(), midnight, bytes, Layout::Items(LARGE_SAMPLES))
}

fn ticks(per_second: u32) -> Interval {
    let mut ticks = interval(Duration::from_secs(1) / per_second.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests;
