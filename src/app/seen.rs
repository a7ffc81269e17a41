//! What `status` tells of the traffic: what Garmin's production review asks for, in numbers and times.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::model::time::UnixSeconds;
use crate::people::directory::Directory;
use crate::people::standing::is_current;
use crate::records::catalog::Catalog;
use crate::telemetry::observed::{Observations, Seen, SlowAnswer};

/// How many Garmin users there are whose data are here: held ones, and those linked to somebody with records.
pub(super) fn users(directory: &Directory, catalog: &Catalog, now: UnixSeconds) -> usize {
    let linked = directory
        .studies()
        .flat_map(|study| directory.participants(&study.id))
        .filter(|participant| catalog.count(&participant.id) > 0)
        .flat_map(|participant| directory.links(&participant.id))
        .filter(|link| is_current(&link.link.window, now));
    let distinct: HashSet<_> = linked.map(|link| link.digest).collect();
    let held = directory.held().filter(|(_, held)| !distinct.contains(&held.digest)).count();
    distinct.len() + held
}

/// What was observed, as `status` says it.
pub(super) fn told(known: &Observations, users: usize, now: UnixSeconds) -> Value {
    let types: Map<_, _> = known.types.iter().map(|(name, seen)| (name.clone(), of(seen))).collect();
    json!({
        "users": users,
        "types": types,
        "deregistrations": known.deregistrations.as_ref().map(of),
        "permission_changes": known.permission_changes.as_ref().map(of),
        "largest_body": known.largest_body.map(|body| json!({ "bytes": body.bytes, "at": body.at.to_string() })),
        "slowest_answer": known.slowest_answer.as_ref().map(slow),
        "slowest_answer_24h": known.slowest_lately(now).as_ref().map(slow),
    })
}

fn of(seen: &Seen) -> Value {
    json!({ "items": seen.items, "first": seen.first.to_string(), "last": seen.last.to_string() })
}

fn slow(slow: &SlowAnswer) -> Value {
    json!({ "milliseconds": slow.milliseconds, "at": slow.at.to_string() })
}
