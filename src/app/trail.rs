//! The audit log's own chores: its end kept in the store, a signed head each hour, everything verified once a day.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::{MissedTickBehavior, interval};

use crate::audit::{Error, Log};
use crate::clock::Clock;
use crate::lifecycle::Stopped;

/// How often the head is signed.
const SIGNED_EVERY: Duration = Duration::from_secs(3600);
/// How often the last entry is kept in the store, where there is another.
const KEPT_EVERY: Duration = Duration::from_secs(10);
/// How often everything is verified, in seconds.
const VERIFIED_EVERY: i64 = 86_400;

/// Keeps the log until the gateway stops.
pub(super) async fn keep(audit: Arc<Log>, clock: Arc<dyn Clock>, mut stopped: Stopped) {
    let mut ticks = interval(SIGNED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut keeps = interval(KEPT_EVERY);
    keeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and the start was signed.
    let mut first = true;
    loop {
        tokio::select! {
            () = stopped.wait() => return,
            _ = keeps.tick() => {
                let audit = Arc::clone(&audit);
                tell(tokio::task::spawn_blocking(move || audit.keep_end()).await);
                continue;
            }
            _ = ticks.tick() => {}
        }
        let signs = !std::mem::take(&mut first);
        let (audit, now) = (Arc::clone(&audit), clock.now());
        let due = audit.verified().is_none_or(|at| now.0.saturating_sub(at.0) >= VERIFIED_EVERY);
        let chores = tokio::task::spawn_blocking(move || {
            if signs {
                audit.sign()?;
            }
            if due { audit.verify().map(|_| ()) } else { Ok(()) }
        });
        tell(chores.await);
    }
}

fn tell(outcome: Result<Result<(), Error>, JoinError>) {
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "the audit log could not be kept, signed or verified; run `studygate audit verify`")
        }
        Err(_) => tracing::error!(
            "a chore of the audit log ended in a panic; run `studygate audit verify`, and please report it"
        ),
    }
}
