//! `studies`: add, list, show, set, lock, close.
//!
//! A study: `{"name", "state": "open|locked|closed", "recipients": ["age1…"], "rules": {…}, "rules_version",
//! "created", "exports", "participants": {"active", "paused", "completed", "withdrawn"}}`.
//!
//! | request | body | answer |
//! |---|---|---|
//! | GET studies | | `{"studies": […]}` by name |
//! | POST studies | `{"name", "recipients", "rules"?}` | 201, the study |
//! | GET studies/S | | the study |
//! | PATCH studies/S | `{"recipients"?, "rules"?}` | the study |
//! | POST studies/S/lock | | the study |
//! | POST studies/S/close | `{"data": "keep\|purge", "reason"}` | the study and `"purged"` |

use hyper::StatusCode;
use serde_json::json;

use crate::http::local::{Answer, Call, Routes, json, rules, views::StudyView};
use crate::http::local_api::LocalResponse;
use crate::http::problem::Problem;
use crate::model::study::{DataFate, Rules, Study};
use crate::people::decide::study::{NewStudy, StudyChange};
use crate::withdrawal::Leave;
use crate::withdrawal::course::{Haste, Word};
use crate::withdrawal::record::Cause;

/// The most participants of a closed study who are withdrawn in one step.
const WITHDRAWN_AT_ONCE: usize = 200;
/// The longest reason that is taken, in characters.
pub(super) const REASON_CHARS_MAX: usize = 500;

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let directory = routes.people.read();
    let studies: Vec<_> = directory.studies().map(|study| StudyView::new(&directory, study)).collect();
    Ok(json(StatusCode::OK, &json!({ "studies": studies })))
}

pub(super) fn add(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&["name", "recipients", "rules"])?;
    let name = members.needed_text("name")?;
    let recipients = members.texts("recipients")?.unwrap_or_default();
    let rules = match members.object("rules", rules::KNOWN)?.flatten() {
        Some(mut members) => rules::changed(Rules::default(), &mut members)?,
        None => Rules::default(),
    };
    let added = routes.people.add_study(NewStudy { name, recipients, rules }, routes.now())?;
    call.did("study add", &added.name);
    Ok(shown(routes, StatusCode::CREATED, &added))
}

pub(super) fn show(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    Ok(shown(routes, StatusCode::OK, &*routes.people.study(call.study())?))
}

pub(super) fn set(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&["recipients", "rules"])?;
    let recipients = members.texts("recipients")?;
    let rules = members.object("rules", rules::KNOWN)?.flatten();
    let mut recipients_before = Vec::new();
    let changed = routes.people.set_study(call.study(), |before| {
        recipients_before.clone_from(&before.recipients);
        let rules = rules.map(|mut members| rules::changed(before.rules.clone(), &mut members)).transpose()?;
        Ok::<_, Problem>(StudyChange { recipients, rules })
    })?;
    call.did("study set", &changed.name);
    if changed.recipients != recipients_before {
        routes.desk.recipients_changed(&changed.name);
    }
    Ok(shown(routes, StatusCode::OK, &changed))
}

pub(super) fn lock(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let locked = routes.people.lock_study(call.study())?;
    call.did("study lock", &locked.name);
    Ok(shown(routes, StatusCode::OK, &locked))
}

/// Closed first, then purged, whatever the study's grace and policy: asked for again, an interrupted purge goes on.
pub(super) fn close(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&["data", "reason"])?;
    let purge = members.choice("data", &[("keep", false), ("purge", true)])?;
    let purge = purge.ok_or_else(|| Problem::invalid("\"data\" is missing; give \"keep\" or \"purge\"."))?;
    reason(members.text("reason")?, purge)?;

    let closed = routes.people.close_study(call.study())?;
    call.did("study close", &closed.name);
    let mut purged = 0;
    if purge {
        let participants: Vec<_> =
            routes.people.read().participants(&closed.id).map(|participant| participant.id).collect();
        let word = Word { fate: Some(DataFate::Purge), haste: Haste::AtOnce };
        // So many at a time that the store takes each step of theirs whole.
        for some in participants.chunks(WITHDRAWN_AT_ONCE) {
            routes.desk.withdraw(some, Leave { word, cause: Cause::StudyClosed }, routes.now())?;
            purged += some.len();
        }
        call.did("study purge", &closed.name);
    }
    let directory = routes.people.read();
    let mut answer = json!(StudyView::new(&directory, &closed));
    answer["purged"] = json!(purged);
    Ok(json(StatusCode::OK, &answer))
}

/// Refuses a reason that is too long, or missing where one is needed.
pub(super) fn reason(reason: Option<String>, needed: bool) -> Result<(), Problem> {
    let reason = reason.unwrap_or_default();
    if needed && reason.trim().is_empty() {
        return Err(Problem::invalid("\"reason\" is missing; say why, without naming a person."));
    }
    if reason.chars().count() > REASON_CHARS_MAX {
        return Err(Problem::invalid("\"reason\" is longer than 500 characters; shorten it."));
    }
    Ok(())
}

fn shown(routes: &Routes, status: StatusCode, study: &Study) -> LocalResponse {
    json(status, &StudyView::new(&routes.people.read(), study))
}
