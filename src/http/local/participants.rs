//! `studies/{study}/participants`: add, list, show, set, rename, link, unlink, pause, resume, complete.
//!
//! A participant: `{"code", "state": "active|paused|completed|withdrawn", "from", "to", "pauses": [{"from", "to"}],
//! "consent": {"version", "date"}, "added", "erased", "links": [{"number", "client", "from", "to", "current"}],
//! "permissions": [{"link", "granted", "since", "told", "answered_412": {TYPE: time}}]}`. Of one who has left only
//! `code`, `state` and, once all is gone, `erased` are told, and of one who is locked until a purge `code`, `state`
//! (`locked`) and `locked_until`; a link of whose user nothing was told has no `permissions`. Shown alone, who has left
//! has `purge` and, once that is done, `receipt`.
//!
//! A `from` or `to` that is a date is a day on the participant's own clock, both included, as records tell it; a time is an
//! instant, `to` not included.
//!
//! | request | body | answer |
//! |---|---|---|
//! | GET P?limit=&after=&silent= | | `{"participants": […], "next"}` by code; who is silent alone, see `coverage.rs` |
//! | POST P | `{"code"?, "garmin_user"? or "unassigned"?, "client"?, "from"?, "to"?, "consent"?, "despite_withdrawal"?, "reason"?}` | 201, the participant |
//! | GET P/C | | the participant |
//! | PATCH P/C | `{"from"?, "to"?, "consent"?}`, null takes away | the participant |
//! | POST P/C/rename | `{"new_code"}` | the participant |
//! | POST P/C/link | `{"garmin_user" or "unassigned", "client"?, "from"?, "to"?, "despite_withdrawal"?, "reason"?}` | the participant |
//! | POST P/C/unlink | `{"at"?, "link"?}` | the participant |
//! | POST P/C/pause, resume, complete | `{"at"?}` | the participant |

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use crate::audit::{Act, Event};
use crate::http::local::coverage::{self, Silent};
use crate::http::local::{
    Answer, Call, Routes, json,
    members::Members,
    page::Page,
    studies::reason,
    times::{beginning, window_beginning, window_end},
    views::ParticipantView,
};
use crate::http::problem::Problem;
use crate::model::{
    connection::{ClientId, GarminUserId},
    participant::{Bound, Consent, Participant, Window},
    time::UnixSeconds,
};
use crate::people::{
    LinkRequest,
    decide::{
        link::Target,
        participant::{self, NewParticipant, ParticipantChange, Step},
    },
    refusal::Refusal,
};

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    let query = call.query(&["limit", "after", "silent"])?;
    let page = Page::of(&query)?;
    if let Some(days) = query.one("silent")? {
        return list_silent(routes, call, &page, days);
    }
    let directory = routes.people.read();
    let study = directory.study(call.study())?;
    let now = routes.now();
    let present = directory.participants(&study.id).map(|found| ParticipantView::present(&directory, found, now));
    let erased = directory.retired(&study.id).iter().map(ParticipantView::erased);
    let (views, next) = page.cut(present.chain(erased).collect(), |view| view.code().to_owned());
    call.did_to_study(Act::ParticipantsListed {});
    Ok(json(StatusCode::OK, &json!({ "participants": views, "next": next })))
}

fn list_silent(routes: &Routes, call: &Call, page: &Page, days: &str) -> Answer {
    let study = Arc::clone(routes.people.read().study(call.study())?);
    let silent = coverage::silent(routes, &study, days)?;
    let directory = routes.people.read();
    let view = |silent: &Silent| {
        let found = directory.participant(&silent.id).filter(|found| found.is_readable())?;
        Some(ParticipantView::present(&directory, found, routes.now()).silent(silent.since, silent.last_seen))
    };
    let (views, next) = page.cut(silent.iter().filter_map(view).collect(), |view| view.code().to_owned());
    call.did_to_study(Act::ParticipantsListed {});
    Ok(json(StatusCode::OK, &json!({ "participants": views, "next": next })))
}

pub(super) fn add(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&[
        "code",
        "garmin_user",
        "unassigned",
        "client",
        "from",
        "to",
        "consent",
        "despite_withdrawal",
        "reason",
    ])?;
    let new = NewParticipant {
        code: members.text("code")?,
        window: window(&mut members)?,
        consent: consent(&mut members)?.flatten(),
    };
    let (target, despite) = target(&mut members)?.map_or((None, None), |(target, despite)| (Some(target), despite));
    let link = target.map(|target| LinkRequest { target, window: Window::default() });
    let linked = link.is_some();
    let added = routes.people.add_participant(call.study(), new, link, routes.now())?;
    call.did(Event::of_participant(Act::ParticipantAdded { linked }, call.study(), &added.code));
    if let Some(despite) = despite {
        call.did(Event::of_participant(linked_despite_withdrawal(despite), call.study(), &added.code));
    }
    shown(routes, StatusCode::CREATED, &added)
}

pub(super) fn show(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let directory = routes.people.read();
    let study = directory.study(call.study())?;
    let view = match participant::find(&directory, study, call.code()) {
        Ok(found) => ParticipantView::present(&directory, found, routes.now()),
        Err(refusal) => match directory.retired(&study.id).iter().find(|retired| retired.code == call.code()) {
            Some(retired) => ParticipantView::erased(retired),
            None => return Err(refusal.into()),
        },
    };
    let mut shown = serde_json::to_value(&view).expect("the views have text keys and finite numbers");
    if let Some(mut purge) = routes.desk.purge_of(&study.name, call.code())? {
        shown["purge"] = purge["purge"].take();
        shown["receipt"] = purge["receipt"].take();
    }
    call.did_to_participant(Act::ParticipantShown {});
    Ok(json(StatusCode::OK, &shown))
}

pub(super) fn set(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&["from", "to", "consent"])?;
    let change = ParticipantChange {
        from: members.nullable_text("from")?.map(|text| bound("from", text, window_beginning)).transpose()?,
        to: members.nullable_text("to")?.map(|text| bound("to", text, window_end)).transpose()?,
        consent: consent(&mut members)?,
    };
    let changed = routes.people.set_participant(call.study(), call.code(), change)?;
    call.did_to_participant(Act::ParticipantSet {});
    shown(routes, StatusCode::OK, &changed)
}

pub(super) fn rename(routes: &Routes, call: &Call) -> Answer {
    let new_code = call.members(&["new_code"])?.needed_text("new_code")?;
    let renamed = routes.people.rename_participant(call.study(), call.code(), new_code)?;
    call.did_to_participant(Act::ParticipantRenamed { new_code: renamed.code.clone() });
    shown(routes, StatusCode::OK, &renamed)
}

pub(super) fn link(routes: &Routes, call: &Call) -> Answer {
    let known = ["garmin_user", "unassigned", "client", "from", "to", "despite_withdrawal", "reason"];
    let mut members = call.members(&known)?;
    let window = window(&mut members)?;
    let (target, despite) = target(&mut members)?.ok_or(Refusal::NoConnection)?;
    let linked = routes.people.link_participant(call.study(), call.code(), LinkRequest { target, window })?;
    call.did_to_participant(despite.map_or(Act::ParticipantLinked {}, linked_despite_withdrawal));
    shown(routes, StatusCode::OK, &linked)
}

pub(super) fn unlink(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&["at", "link"])?;
    let now = routes.now();
    let at = members.text("at")?.map_or(Ok(Bound::At(now)), |text| window_beginning("at", &text))?;
    let number = members.number("link", u64::from(u32::MAX))?.map(|number| usize::try_from(number).unwrap_or(0));
    let unlinked = routes.people.unlink_participant(call.study(), call.code(), number, at, now)?;
    call.did_to_participant(Act::ParticipantUnlinked {});
    shown(routes, StatusCode::OK, &unlinked)
}

pub(super) fn pause(routes: &Routes, call: &Call) -> Answer {
    step(routes, call, Step::Pause, Act::ParticipantPaused {})
}

pub(super) fn resume(routes: &Routes, call: &Call) -> Answer {
    step(routes, call, Step::Resume, Act::ParticipantResumed {})
}

pub(super) fn complete(routes: &Routes, call: &Call) -> Answer {
    step(routes, call, Step::Complete, Act::ParticipantCompleted {})
}

fn step(routes: &Routes, call: &Call, step: Step, act: Act) -> Answer {
    let at = moment(&mut call.members(&["at"])?, routes.now())?;
    let after = routes.people.step_participant(call.study(), call.code(), step, at)?;
    call.did_to_participant(act);
    shown(routes, StatusCode::OK, &after)
}

fn shown(routes: &Routes, status: StatusCode, participant: &Participant) -> Answer {
    let directory = routes.people.read();
    // Read again: another change may have come between, and the links are not in what the command returns.
    let current = directory.participant(&participant.id).map_or(participant, |found| &**found);
    Ok(json(status, &ParticipantView::present(&directory, current, routes.now())))
}

fn window(members: &mut Members) -> Result<Window, Problem> {
    let from = members.text("from")?.map(|text| window_beginning("from", &text)).transpose()?;
    let to = members.text("to")?.map(|text| window_end("to", &text)).transpose()?;
    Ok(Window { from, to })
}

fn bound(
    name: &str,
    text: Option<String>,
    parse: fn(&str, &str) -> Result<Bound, Problem>,
) -> Result<Option<Bound>, Problem> {
    text.map(|text| parse(name, &text)).transpose()
}

fn moment(members: &mut Members, now: UnixSeconds) -> Result<UnixSeconds, Problem> {
    members.text("at")?.map_or(Ok(now), |text| beginning("at", &text))
}

fn consent(members: &mut Members) -> Result<Option<Option<Consent>>, Problem> {
    let Some(consent) = members.object("consent", &["version", "date"])? else { return Ok(None) };
    let read = |mut members: Members| {
        Ok::<_, Problem>(Consent { version: members.needed_text("version")?, date: members.needed_text("date")? })
    };
    consent.map(read).transpose().map(Some)
}

/// Why somebody who had left is linked again.
struct Despite(Option<String>);

fn linked_despite_withdrawal(Despite(reason): Despite) -> Act {
    Act::LinkedDespiteWithdrawal { reason }
}

/// The connection that is named, `None` where none is; and why, where its user may have left.
fn target(members: &mut Members) -> Result<Option<(Target, Option<Despite>)>, Problem> {
    let client = members.text("client")?.map_or_else(ClientId::single, |client| ClientId::new(&client));
    let despite_withdrawal = members.flag("despite_withdrawal")? == Some(true);
    let reason = reason(members.text("reason")?, despite_withdrawal)?;
    match (members.text("garmin_user")?, members.text("unassigned")?) {
        (Some(_), Some(_)) => Err(Refusal::TwoConnections.into()),
        (Some(user), None) => {
            let user = GarminUserId::parse(user.trim()).ok_or(Refusal::BadUser)?;
            let target = if despite_withdrawal { Target::UserDespiteWithdrawal } else { Target::User };
            Ok(Some((target(client, user), despite_withdrawal.then_some(Despite(reason)))))
        }
        (None, _) if despite_withdrawal => {
            Err(Problem::invalid("\"despite_withdrawal\" goes with \"garmin_user\"; name the Garmin user who left."))
        }
        (None, Some(handle)) => Ok(Some((Target::Handle(handle), None))),
        (None, None) => Ok(None),
    }
}
