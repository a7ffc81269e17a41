//! What comes next, and what an event changes: pure, with the time and a random number as arguments.

use std::time::Duration;

use crate::acme::Wanted;
use crate::acme::fault::{Fault, Problem};
use crate::acme::state::{Account, Held, Looks, Order, PrivateKey, Standing, State};
use crate::backoff::Backoff;
use crate::model::time::UnixSeconds;

/// After a failure that cost the authority something: twice this at the most, and doubled with each.
const COSTLY: Backoff = Backoff { base: Duration::from_secs(300), cap: Duration::from_secs(6 * 3600) };
/// After one that did not.
const FREE: Backoff = Backoff { base: Duration::from_secs(15), cap: Duration::from_secs(1800) };
/// Between looks at an order.
const LOOK: Backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(15) };
/// What an authority asks for is heeded up to this, in seconds: its limits count by the week.
const ASKED_MAX_S: i64 = 7 * 86_400;
/// An order that takes more looks than these has failed.
const LOOKS_MAX: u32 = 20;
/// The part of its life, in hundredths, after which a certificate is renewed: from here on, over so many.
const RENEW_PERCENT: (f64, f64) = (62.0, 8.0);

/// What is to be done at the authority, or here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Make a key for an account.
    MakeKey,
    /// Have the account registered; who set the names agreed to the terms of service.
    Register,
    /// Tell the authority whom to write to.
    SetContact,
    /// Order a certificate.
    Order,
    /// See how far the order has come.
    Look,
    /// Set up the challenges, and tell the authority to look.
    Prove,
    /// Ask for the certificate.
    Finalize,
    /// Fetch it.
    Download,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing before this time.
    Wait(UnixSeconds),
    /// This.
    Do(Task),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key for the account was made.
    KeyMade(PrivateKey),
    /// The account has this name with the authority.
    Registered(String),
    /// The authority knows whom to write to.
    ContactSet,
    /// The order is there, under this URL, for this key.
    Ordered(String, PrivateKey, Standing),
    /// The order has come so far; the authority may ask to look again so many seconds later.
    Stands(Standing, Option<i64>),
    /// The certificate is here, with its chain as PEM, from this second to that.
    Issued(String, UnixSeconds, UnixSeconds),
    /// It failed; the authority may ask to wait so many seconds.
    Failed(Fault, Option<i64>),
}

/// What comes next.
pub fn next(state: &State, wanted: &Wanted, now: UnixSeconds) -> Next {
    if let Some(held) = state.certificate_for(wanted)
        && now < held.renew_at
    {
        return Next::Wait(held.renew_at);
    }
    // A time beyond every wait was set by a clock that was wrong.
    if let Some(at) = state.next_try
        && now < at
        && at <= now.plus(ASKED_MAX_S)
    {
        return Next::Wait(at);
    }
    let Some(account) = state.account_for(wanted) else { return Next::Do(Task::MakeKey) };
    if account.id.is_none() {
        return Next::Do(Task::Register);
    }
    if account.contact != wanted.contact {
        return Next::Do(Task::SetContact);
    }
    let Some(order) = state.order_for(wanted) else { return Next::Do(Task::Order) };
    match order.standing {
        Standing::Unknown => Next::Do(Task::Look),
        Standing::Pending => Next::Do(Task::Prove),
        Standing::Told | Standing::Processing if now < order.looks.next => Next::Wait(order.looks.next),
        Standing::Told | Standing::Processing => Next::Do(Task::Look),
        Standing::Ready => Next::Do(Task::Finalize),
        Standing::Valid => Next::Do(Task::Download),
    }
}

/// The state after an event; `random` is in [0, 1).
pub fn after(mut state: State, event: Event, wanted: &Wanted, now: UnixSeconds, random: f64) -> State {
    match event {
        Event::KeyMade(key) => {
            let directory = wanted.directory.clone();
            state.account = Some(Account { directory, key, id: None, contact: String::new() });
        }
        Event::Registered(id) => {
            if let Some(account) = &mut state.account {
                account.id = Some(id);
            }
        }
        Event::ContactSet => {
            if let Some(account) = &mut state.account {
                account.contact.clone_from(&wanted.contact);
            }
        }
        Event::Ordered(url, key, standing) => {
            let Wanted { domains, directory, .. } = wanted.clone();
            state.order = Some(Order { directory, domains, url, key, standing, looks: Looks::default() });
        }
        Event::Stands(standing, asked) => {
            let Some(order) = &mut state.order else { return state };
            let known = std::mem::replace(&mut order.standing, standing);
            // The authority says "pending" of what it was told about until it has looked.
            if (known, standing) == (Standing::Told, Standing::Pending) {
                order.standing = Standing::Told;
            }
            let count = if order.standing == known { order.looks.count + 1 } else { 0 };
            let wait = LOOK.wait(count + 1, 1.0);
            let wait = asked.map_or(seconds(wait), |asked| asked.clamp(1, 60));
            order.looks = Looks { count, next: now.plus(wait) };
            if count >= LOOKS_MAX {
                return failed(state, &Fault::Slow, None, now, random);
            }
        }
        Event::Issued(chain, begin, end) => {
            let Some(order) = state.order.take() else { return state };
            let Order { directory, domains, key, .. } = order;
            let renew_at = renewal(begin, end, random);
            let certificate = Some(Held { directory, domains, chain, key, renew_at });
            state = State { certificate, account: state.account, ..State::default() };
        }
        Event::Failed(fault, asked) => return failed(state, &fault, asked, now, random),
    }
    state
}

fn failed(mut state: State, fault: &Fault, asked: Option<i64>, now: UnixSeconds, random: f64) -> State {
    state.failures = state.failures.saturating_add(1);
    let backoff = if fault.is_free() { FREE } else { COSTLY };
    // Never less than half of the longest wait: who failed is not to come back at once by chance.
    let own = backoff.wait(state.failures, 1.0) + backoff.wait(state.failures, random);
    let wait = seconds(own).max(asked.unwrap_or(0)).min(ASKED_MAX_S);
    state.next_try = Some(now.plus(wait));
    state.failed = Some((now, fault.to_string()));
    if !fault.leaves_order() {
        state.order = None;
    } else if let Some(order) = &mut state.order {
        (order.standing, order.looks) = (Standing::Unknown, Looks::default());
    }
    if *fault == Fault::Refused(Problem::NoAccount) {
        state.account = None;
    }
    state
}

/// A time at about two thirds of a certificate's life.
fn renewal(begin: UnixSeconds, end: UnixSeconds, random: f64) -> UnixSeconds {
    let life = Duration::from_secs(u64::try_from(end.0.saturating_sub(begin.0)).unwrap_or(0));
    let (least, over) = RENEW_PERCENT;
    begin.plus(seconds(life.mul_f64((least + over * random.clamp(0.0, 1.0)) / 100.0)))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
