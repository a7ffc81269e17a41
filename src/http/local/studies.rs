//! `studies`: add, list, show, set, lock, close.
//!
//! A study: `{"name", "state": "open|locked|closed", "recipients": ["age1…"], "rules": {…}, "rules_version",
//! "created", "exports", "participants": {"active", "paused", "completed", "withdrawn"}}`.
//!
//! | request | body | answer |
//! |---|---|---|
//! | GET studies?limit=&after= | | `{"studies": […], "next"}` by name |
//! | POST studies | `{"name", "recipients", "rules"?}` | 201, the study |
//! | GET studies/S | | the study |
//! | PATCH studies/S | `{"recipients"?, "rules"?}` | the study and `"notes"`: what the change cannot do, in sentences |
//! | POST studies/S/lock | | the study |
//! | POST studies/S/close | `{"data": "keep\|purge", "reason"}` | the study and `"purged"` |

use hyper::StatusCode;
use serde_json::json;

use crate::audit::{Act, Event};
use crate::dataset::recipient::Recipient;
use crate::http::local::{Answer, Call, Routes, json, page::Page, rules, views::StudyView};
use crate::http::local_api::LocalResponse;
use crate::http::problem::Problem;
use crate::model::study::{DataFate, Rules, Study};
use crate::people::decide::study::{self, NewStudy, StudyChange};
use crate::withdrawal::Leave;
use crate::withdrawal::course::{Haste, Word};
use crate::withdrawal::record::Cause;

/// The most participants of a closed study who are withdrawn in one step.
const WITHDRAWN_AT_ONCE: usize = 200;
/// The longest reason that is taken, in characters.
pub(super) const REASON_CHARS_MAX: usize = 500;

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    let page = Page::of(&call.query(Page::QUERY)?)?;
    let directory = routes.people.read();
    let seen = directory.studies().filter(|study| call.reach.covers(&study.name)).collect();
    let (studies, next) = page.cut(seen, |study| study.name.clone());
    let views: Vec<_> = studies.into_iter().map(|study| StudyView::new(&directory, study)).collect();
    Ok(json(StatusCode::OK, &json!({ "studies": views, "next": next })))
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
    let recipients = fingerprints(&added.recipients);
    let (rules_version, rules) = (added.rules_version, study::listed(&added.rules));
    call.did(Event::of_study(Act::StudyAdded { rules_version, rules, recipients }, &added.name));
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
    let (mut recipients_before, mut rules_before) = (Vec::new(), Rules::default());
    let changed = routes.people.set_study(call.study(), |before| {
        recipients_before.clone_from(&before.recipients);
        rules_before.clone_from(&before.rules);
        let rules = rules.map(|mut members| rules::changed(before.rules.clone(), &mut members)).transpose()?;
        Ok::<_, Problem>(StudyChange { recipients, rules })
    })?;
    let act =
        Act::StudySet { rules_version: changed.rules_version, changed: study::changed(&rules_before, &changed.rules) };
    call.did(Event::of_study(act, &changed.name));
    if changed.recipients != recipients_before {
        let (before, recipients) = (fingerprints(&recipients_before), fingerprints(&changed.recipients));
        call.did(Event::of_study(Act::RecipientsChanged { before, recipients }, &changed.name));
        routes.desk.recipients_changed(&changed.name);
    }
    let mut answer = json!(StudyView::new(&routes.people.read(), &changed));
    answer["notes"] = json!(study::notes(&rules_before, &changed.rules));
    Ok(json(StatusCode::OK, &answer))
}

pub(super) fn lock(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let locked = routes.people.lock_study(call.study())?;
    call.did_to_study(Act::StudyLocked {});
    Ok(shown(routes, StatusCode::OK, &locked))
}

/// Closed first, then purged, whatever the study's grace and policy: asked for again, an interrupted purge goes on.
pub(super) fn close(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&["data", "reason"])?;
    let purge = members.choice("data", &[("keep", false), ("purge", true)])?;
    let purge = purge.ok_or_else(|| Problem::invalid("\"data\" is missing; give \"keep\" or \"purge\"."))?;
    let reason = reason(members.text("reason")?, purge)?;

    let closed = routes.people.close_study(call.study())?;
    call.did_to_study(Act::StudyClosed { purge, reason: reason.clone() });
    let mut purged = 0;
    if purge {
        let participants: Vec<_> =
            routes.people.read().participants(&closed.id).map(|participant| participant.id).collect();
        let word = Word { fate: Some(DataFate::Purge), haste: Haste::AtOnce };
        // So many at a time that the store takes each step of theirs whole.
        for some in participants.chunks(WITHDRAWN_AT_ONCE) {
            let leave = Leave { word, cause: Cause::StudyClosed };
            let (_, events) = routes.desk.withdraw(some, leave, routes.now())?;
            call.did_leave(&events, reason.as_deref());
            purged += some.len();
        }
    }
    let directory = routes.people.read();
    let mut answer = json!(StudyView::new(&directory, &closed));
    answer["purged"] = json!(purged);
    Ok(json(StatusCode::OK, &answer))
}

/// The reason for the audit log; refused where it is too long, or missing where one is needed.
pub(super) fn reason(reason: Option<String>, needed: bool) -> Result<Option<String>, Problem> {
    let reason = reason.unwrap_or_default().trim().to_owned();
    if needed && reason.is_empty() {
        return Err(Problem::invalid("\"reason\" is missing; say why, without naming a person."));
    }
    if reason.chars().count() > REASON_CHARS_MAX {
        return Err(Problem::invalid("\"reason\" is longer than 500 characters; shorten it."));
    }
    Ok(Some(reason).filter(|reason| !reason.is_empty()))
}

/// Recipients as the manifest of a dataset has them.
fn fingerprints(recipients: &[String]) -> Vec<String> {
    recipients.iter().filter_map(|text| Recipient::parse(text).ok()).map(|known| known.fingerprint()).collect()
}

fn shown(routes: &Routes, status: StatusCode, study: &Study) -> LocalResponse {
    json(status, &StudyView::new(&routes.people.read(), study))
}
