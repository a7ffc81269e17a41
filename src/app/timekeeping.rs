//! Whether something keeps the clock right: asked once a minute, told when the answer changes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::clock::{Clock, Synchronised};
use crate::lifecycle::Stopped;

const ASKED_EVERY: Duration = Duration::from_secs(60);

/// Asks until the gateway stops.
pub(super) async fn keep(clock: Arc<dyn Clock>, mut stopped: Stopped) {
    let mut ticks = interval(ASKED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = None;
    loop {
        tokio::select! {
            () = stopped.wait() => return,
            _ = ticks.tick() => {}
        }
        let asked = Arc::clone(&clock);
        let look = tokio::task::spawn_blocking(move || {
            asked.look();
            asked.synchronised()
        });
        match look.await {
            Ok(said) if before.replace(said) != Some(said) => tell(said),
            Ok(_) => {}
            Err(_) => tracing::error!(
                "asking whether the clock is synchronised ended in a panic; it is tried again, please report it"
            ),
        }
    }
}

fn tell(said: Synchronised) {
    match said {
        Synchronised::Yes => tracing::info!("the clock is synchronised"),
        Synchronised::No => tracing::warn!(
            "the clock is not synchronised, so nothing that destroys data expires; let the machine reach a time server"
        ),
        Synchronised::Unknown => tracing::info!(
            "whether the clock is synchronised cannot be told here; what has had its time is destroyed by the clock as it is"
        ),
    }
}
