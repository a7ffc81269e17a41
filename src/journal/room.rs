//! Room for bodies: small ones wait while filing is behind, so that it catches up and the journal stays short.
//!
//! Never: a refusal; a wait so long that a sender's patience ends before the answer.

use std::{pin::pin, time::Duration};

use tokio::{sync::Notify, time::timeout};

/// How long a body waits for filing to catch up, at most; whoever sends it waits 30 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where bodies wait for room.
#[derive(Debug, Default)]
pub(crate) struct Room(Notify);

impl Room {
    /// Returns once there is room, or when the patience ends.
    pub(crate) async fn wait(&self, has_room: impl Fn() -> bool) {
        if has_room() {
            return;
        }
        let room = async {
            loop {
                let mut made = pin!(self.0.notified());
                made.as_mut().enable();
                if has_room() {
                    return;
                }
                made.await;
            }
        };
        if timeout(PATIENCE, room).await.is_err() {
            tracing::debug!("filing is behind; a body is taken all the same");
        }
    }

    /// There may be room now: whoever waits looks again.
    pub(crate) fn made(&self) {
        self.0.notify_waiters();
    }
}
