//! What `status` answers, as it may leave the site.

use serde_json::Value;

use crate::doctor::bundle::safe::Safe;
use crate::lifecycle::Reason;
use crate::model::summary::KNOWN;
use crate::queue::job::End;

/// The members of the answer whose values are numbers, flags, times or words of the program. Listeners are not among
/// them.
const MEMBERS: &[&str] = &[
    "version",
    "ready",
    "not_ready",
    "store",
    "records",
    "sequence",
    "database_bytes",
    "blob_bytes",
    "keys",
    "epoch",
    "escrow_verified",
    "journal",
    "bodies",
    "bytes",
    "studies",
    "participants",
    "unassigned",
    "quarantine",
    "pulls",
    "waiting",
    "running",
    "delivered",
    "ended",
    "nearest_deadline",
    "purges_pending",
    "purges_awaiting_confirmation",
    "backup",
    "last",
    "last_verified",
    "daily",
    "last_notification",
    "seen",
    "users",
    "types",
    "items",
    "first",
    "deregistrations",
    "permission_changes",
    "largest_body",
    "at",
    "slowest_answer",
    "slowest_answer_24h",
    "milliseconds",
    "disk",
    "available_bytes",
    "reserve_bytes",
    "certificate",
    "source",
    "not_after",
    "renews_at",
    "failed_at",
    "other",
    "files",
    "acme",
    env!("CARGO_PKG_VERSION"),
];

pub(super) fn safe(status: &Value) -> Safe {
    let types = KNOWN.iter().map(|known| known.name);
    let reasons = Reason::ALL.map(Reason::name);
    let ends = End::ALL.map(End::name);
    let words: Vec<&'static str> = MEMBERS.iter().copied().chain(types).chain(reasons).chain(ends).collect();
    Safe::of_json(status, &words)
}
