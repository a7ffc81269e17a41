//! What Garmin asks for before it gives production keys: users, types, notices, a large body, quick answers.
//!
//! Nothing tells Garmin's notifications from others, since none is signed: what `simulate` sent to this site counts, too.

use crate::doctor::facts::{Facts, Gateway, SeenFacts};
use crate::doctor::finding::Finding;
use crate::doctor::sentence::Sentence;
use crate::model::summary::{DEREGISTRATIONS, KNOWN, PERMISSION_CHANGES};

const USERS: &str = "review_users";
const TYPES: &str = "review_types";
const NOTICES: &str = "review_notices";
const BODY: &str = "review_large_body";
const ANSWERS: &str = "review_answers";
/// Garmin's own number, decimal.
const LARGE_BODY_BYTES: u64 = 100_000_000;
/// Garmin gives up then.
const ANSWER_MAX_MS: u64 = 30_000;
/// There should be some room.
const ANSWER_SLOW_MS: u64 = 10_000;

pub(super) fn judge(facts: &Facts, found: &mut Vec<Finding>) {
    let Gateway::Up(running) = &facts.gateway else { return };
    let seen = &running.seen;
    let users = Sentence::new("data of ").number(seen.users).and(" Garmin users were received");
    found.push(if seen.users < 2 {
        Finding::note(
            USERS,
            users,
            Sentence::new("Garmin's review wants two: connect a second account, and wear a device"),
        )
    } else {
        Finding::ok(USERS, users)
    });
    let mut wanted: Vec<&'static str> = Vec::new();
    for study in running.studies.iter().filter(|study| study.is_open) {
        match study.types.as_slice() {
            [] => wanted.extend(KNOWN.iter().map(|known| known.name)),
            some => wanted.extend(some),
        }
    }
    found.push(types(seen, &wanted));
    notices(seen, found);
    found.push(body(seen));
    found.push(answers(seen));
}

fn types(seen: &SeenFacts, wanted: &[&'static str]) -> Finding {
    let names = || KNOWN.iter().map(|known| known.name).filter(|name| wanted.contains(name));
    let missing: Vec<_> = names().filter(|name| !seen.types.contains(name)).collect();
    let came: Vec<_> = names().filter(|name| seen.types.contains(name)).collect();
    if missing.is_empty() {
        return Finding::ok(TYPES, Sentence::new("every type that a study collects was received"));
    }
    let says = Sentence::new("types that a study collects and that never came: ").list(&missing);
    let says = if came.is_empty() { says } else { says.and("; these did: ").list(&came) };
    let remedy = "enable in Garmin's portal what the study needs and nothing else, name it with `study set --types`, and \
                  have a user make one of each; the review wants every enabled type once";
    Finding::note(TYPES, says, Sentence::new(remedy))
}

fn notices(seen: &SeenFacts, found: &mut Vec<Finding>) {
    let kinds = [
        (DEREGISTRATIONS, seen.deregistrations, "let a test account end its connection in Garmin Connect"),
        (
            PERMISSION_CHANGES,
            seen.permission_changes,
            "let a test account switch a permission off and on in Garmin Connect",
        ),
    ];
    for (name, count, remedy) in kinds {
        let says = Sentence::new("notices of ").and(name).and(" received: ").number(count);
        found.push(if count == 0 {
            Finding::note(NOTICES, says, Sentence::new("enable the endpoint in Garmin's portal, and ").and(remedy))
        } else {
            Finding::ok(NOTICES, says)
        });
    }
}

fn body(seen: &SeenFacts) -> Finding {
    let remedy = || {
        Sentence::new(
            "send one before the review with `studygate simulate` from outside, so that every proxy on the way takes it",
        )
    };
    match seen.largest_body {
        Some((bytes, at)) if bytes >= LARGE_BODY_BYTES => {
            Finding::ok(BODY, Sentence::new("a body of ").bytes(bytes).and(" was taken at ").time(at))
        }
        Some((bytes, _)) => Finding::note(
            BODY,
            Sentence::new("the largest body that was taken had ").bytes(bytes).and("; Garmin may send 100 MB"),
            remedy(),
        ),
        None => Finding::note(BODY, Sentence::new("no body was taken yet; Garmin may send 100 MB"), remedy()),
    }
}

fn answers(seen: &SeenFacts) -> Finding {
    let Some((slowest, at)) = seen.slowest else {
        let remedy = Sentence::new("look again when the first notification has come");
        return Finding::note(ANSWERS, Sentence::new("no notification was answered yet"), remedy);
    };
    let lately = seen.slowest_lately.map_or(0, |(slowest, _)| slowest);
    let says = Sentence::new("the slowest answer took ").number(slowest).and(" ms, at ").time(at);
    let says = says.and("; the slowest of the last 24 hours ").number(lately).and(" ms");
    let remedy =
        || Sentence::new("see whether the disk or the line was busy then; Garmin gives up after 30 s and sends again");
    if lately >= ANSWER_MAX_MS {
        Finding::problem(ANSWERS, says, remedy())
    } else if lately >= ANSWER_SLOW_MS || slowest >= ANSWER_MAX_MS {
        Finding::warning(ANSWERS, says, remedy())
    } else {
        Finding::ok(ANSWERS, says)
    }
}
