//! The worker: asks the plan what comes next, has it done, keeps what came of it, and shows it.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::acme::{
    Wanted,
    agent::{Agent, Given, identity},
    fault::Fault,
    plan::{self, Event, Next},
    state::State,
    transport::Transport,
    vault::Vault,
};
use crate::clock::Clock;
use crate::crypto::key::{Rng, random};
use crate::lifecycle::Stopped;
use crate::model::time::UnixSeconds;
use crate::telemetry::acme::{AcmeMetrics, AcmeResult};
use crate::tls::server::{Certificate, Outlook};
use crate::upstream::Authority;

/// However long it is to wait, the time is looked at again after this: a clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the worker works with.
pub struct Parts {
    /// What the site wants.
    pub wanted: Wanted,
    /// The way to the authority.
    pub authority: Authority,
    /// Where the state lies.
    pub vault: Vault,
    /// What is served.
    pub certificate: Arc<Certificate>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<Rng>,
    /// Counts.
    pub metrics: AcmeMetrics,
}

/// Has certificates issued and renewed.
pub struct Worker {
    parts: Parts,
    agent: Agent,
    state: State,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Something was done; the next thing may be due.
    Done,
    /// Nothing is to be done before this time.
    Wait(UnixSeconds),
}

impl Worker {
    /// The worker as it was left; the certificate that it holds is served from here on.
    pub fn open(parts: Parts) -> Self {
        let state = parts.vault.load();
        if let Some(identity) = state.certificate.as_ref().and_then(identity) {
            parts.certificate.give(identity);
        }
        let agent = Agent::new(Transport::new(parts.authority.clone(), Arc::clone(&parts.clock)));
        let worker = Self { parts, agent, state };
        worker.show();
        worker
    }

    /// Works until the gateway stops.
    pub async fn run(mut self, mut stopped: Stopped) {
        loop {
            let turn = tokio::select! {
                () = stopped.wait() => return,
                turn = self.turn() => turn,
            };
            let Turn::Wait(until) = turn else { continue };
            let left = until.0.saturating_sub(self.parts.clock.now().0);
            let wait =
                Duration::from_secs(u64::try_from(left).unwrap_or(0)).clamp(Duration::from_millis(50), LOOK_EVERY);
            tokio::select! {
                () = stopped.wait() => return,
                () = sleep(wait) => {}
            }
        }
    }

    /// Does one thing, where one is due.
    pub async fn turn(&mut self) -> Turn {
        let now = self.parts.clock.now();
        let Parts { wanted, certificate, .. } = &self.parts;
        let task = match plan::next(&self.state, wanted, now) {
            Next::Wait(until) => return Turn::Wait(until),
            Next::Do(task) => task,
        };
        let given = Given { state: &self.state, wanted, certificate, now };
        let event = self.agent.perform(task, &given).await;
        self.take(event, now);
        Turn::Done
    }

    /// Keeps what came of it, and then shows it: what is not durable has not happened.
    fn take(&mut self, event: Event, now: UnixSeconds) {
        let random = self.random();
        let mut result = match &event {
            Event::Failed(fault, _) => fault.result(),
            // Where the plan makes a failure of them, the order takes too long.
            Event::KeyMade(_)
            | Event::Registered(_)
            | Event::ContactSet
            | Event::Ordered(..)
            | Event::Stands(..)
            | Event::Issued(..) => Fault::Slow.result(),
        };
        let taken = plan::after(self.state.clone(), event, &self.parts.wanted, now, random);
        let is_new = taken.certificate != self.state.certificate;
        let failures = self.state.failures;
        self.state = match self.parts.vault.keep(&taken) {
            Ok(()) => taken,
            Err(error) => {
                tracing::error!(%error, "the state of the certificate's order cannot be written; check the disk");
                let failed = Event::Failed(Fault::Storage, None);
                result = AcmeResult::NotStored;
                plan::after(self.state.clone(), failed, &self.parts.wanted, now, random)
            }
        };
        if self.state.failures > failures {
            self.parts.certificate.end_challenges();
            self.parts.metrics.ended(result);
            self.tell_failure();
        } else if is_new {
            self.parts.certificate.end_challenges();
            self.serve();
        }
        self.show();
    }

    fn serve(&self) {
        let Some(identity) = self.state.certificate.as_ref().and_then(identity) else { return };
        tracing::info!(listener = "ingress", not_after = %identity.not_after, "certificate issued and loaded");
        self.parts.certificate.give(identity);
        self.parts.metrics.ended(AcmeResult::Done);
    }

    fn tell_failure(&self) {
        let (Some((_, reason)), Some(next)) = (&self.state.failed, self.state.next_try) else { return };
        tracing::warn!(failures = self.state.failures, next_try = %next, "no certificate was issued: {reason}");
    }

    fn show(&self) {
        let at = self.state.certificate_for(&self.parts.wanted).map(|held| held.renew_at);
        let renews_at = at.max(self.state.next_try);
        self.parts.certificate.expect(Outlook { renews_at, failed: self.state.failed.clone() });
    }

    /// A number in [0, 1).
    fn random(&self) -> f64 {
        f64::from(u32::from_be_bytes(random(&*self.parts.rng))) / (f64::from(u32::MAX) + 1.0)
    }
}
