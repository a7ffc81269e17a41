//! Leaving: withdrawals by a person, purges that wait for one, and receipts.
//!
//! | request | body | answer |
//! |---|---|---|
//! | POST studies/S/participants/C/withdraw | `{"reason", "data"?: "purge\|retain", "now"?, "dry_run"?}` | `{"code", "state", "data", "purge_at", "records", …}` |
//! | GET studies/S/participants/C/receipt | | `{"purge": PURGE, "receipt": {…}, "page": text}`, the last two null until it is done |
//! | GET purges?all=&limit=&after= | | `{"purges": [PURGE], "next"}`: those under way, or all |
//! | POST purges/{id}/confirm, reject | `{"reason"}` | `{"id", "confirmed" or "rejected": true}` |
//!
//! PURGE: `{"id", "study", "code", "state", "data", "started_by", "requested", "waits_for", "purge_at",
//! "bodies_pending", "erased"}`; bodies are pending that came before the notice and may hold what is theirs.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::audit::{self, Act};
use crate::http::local::{Answer, Call, Routes, json, page::Page, studies::reason};
use crate::http::problem::Problem;
use crate::model::study::DataFate;
use crate::model::time::UnixSeconds;
use crate::people::decide::participant;
use crate::people::refusal::{Kind, Refusal};
use crate::withdrawal::course::{Haste, Word};
use crate::withdrawal::record::Cause;
use crate::withdrawal::{Event, Leave};

pub(super) fn withdraw(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&["reason", "data", "dry_run", "now"])?;
    let dry_run = members.flag("dry_run")? == Some(true);
    let reason = reason(members.text("reason")?, !dry_run)?;
    let fate = members.choice("data", &[("purge", DataFate::Purge), ("retain", DataFate::Retain)])?;
    let haste = if members.flag("now")? == Some(true) { Haste::AtOnce } else { Haste::AfterTheGrace };
    let word = Word { fate, haste };
    let directory = routes.people.read();
    let found = participant::find(&directory, directory.study(call.study())?, call.code())?.clone();
    drop(directory);

    let told = if dry_run {
        let told = routes.desk.preview_withdrawal(&found.id, word)?;
        call.did_to_participant(Act::WithdrawalPreviewed {});
        told
    } else {
        let leave = Leave { word, cause: Cause::Person };
        let (told, events) = routes.desk.withdraw(&[found.id], leave, routes.now())?;
        call.did_leave(&events, reason.as_deref());
        if events.is_empty() {
            // The purge had begun before; it was asked for once more all the same.
            let (purge, data, waits_until) = (None, None, None);
            let act = Act::ParticipantWithdrawn { reason, with_the_study: false, purge, data, waits_until };
            call.did_to_participant(act);
        }
        told
    };
    let state = if told["purge_at"].is_string() { "locked" } else { "withdrawn" };
    let mut answer = json!({ "code": found.code });
    answer[if dry_run { "would_be" } else { "state" }] = json!(state);
    if let (Some(answer), Value::Object(more)) = (answer.as_object_mut(), told) {
        answer.extend(more);
    }
    Ok(json(StatusCode::OK, &answer))
}

pub(super) fn receipt(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let study = routes.people.study(call.study())?.name.clone();
    match routes.desk.purge_of(&study, call.code())? {
        Some(found) => {
            call.did_to_participant(Act::ReceiptShown {});
            Ok(json(StatusCode::OK, &found))
        }
        None => {
            let sentence = "The study has no purge of this code; `studygate participant list` shows the codes.";
            Err(Refusal::Other(Kind::NotFound, sentence.to_owned()).into())
        }
    }
}

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    let query = call.query(&["all", "limit", "after"])?;
    let page = Page::of(&query)?;
    let all = match query.one("all")? {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::invalid("\"all\" is neither true nor false.")),
    };
    let (purges, next) = page.cut_values(routes.desk.purges(all, &call.reach), &["requested", "id"]);
    call.did(audit::Event::new(Act::PurgesListed {}));
    Ok(json(StatusCode::OK, &json!({ "purges": purges, "next": next })))
}

pub(super) fn confirm(routes: &Routes, call: &Call) -> Answer {
    decide(routes, call, "confirmed", |id, now| routes.desk.confirm_purge(id, now, &call.reach))
}

pub(super) fn reject(routes: &Routes, call: &Call) -> Answer {
    decide(routes, call, "rejected", |id, now| routes.desk.reject_purge(id, now, &call.reach))
}

fn decide(
    routes: &Routes,
    call: &Call,
    member: &str,
    act: impl FnOnce(&str, UnixSeconds) -> Result<Vec<Event>, Refusal>,
) -> Answer {
    let reason = reason(call.members(&["reason"])?.text("reason")?, true)?;
    let id = call.arguments.first().map_or("", String::as_str);
    let events = act(id, routes.now())?;
    call.did_leave(&events, reason.as_deref());
    let mut answer = json!({ "id": id });
    answer[member] = json!(true);
    Ok(json(StatusCode::OK, &answer))
}
