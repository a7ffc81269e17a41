//! Quarantined items, for a person to look at and to decide about.
//!
//! | request | answer |
//! |---|---|
//! | GET quarantine?limit=&after= | `{"quarantine": [ITEM], "next"}`, the oldest first |
//! | GET quarantine/{id} | ITEM with `"text"` (the beginning of it, where `"text_cut"`) and, of a file, `"kind"` |
//! | GET quarantine/{id}/content | the bytes: of a file those of the file, else the whole text |
//! | POST quarantine/{id}/retry `{"accept"?}` | `{"id", "retried": true}` |
//! | DELETE quarantine/{id} `{"reason"}` | `{"id", "dropped": true}` |
//!
//! ITEM: `{"id", "received", "type", "reason", "detail", "bytes", "file_bytes", "study", "code", "unassigned"}`;
//! `detail` says what speaks against a refused callback now; the last four are null where there is no file, or nobody's
//! it is.
//!
//! Never: content of an item in the log.

use hyper::StatusCode;
use serde_json::json;

use crate::audit::{Act, Event};
use crate::http::local::{Answer, Call, Routes, desk::Retry, json, page::Page, studies::reason};
use crate::http::local_api::{LocalBody, LocalResponse};

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    let page = Page::of(&call.query(Page::QUERY)?)?;
    let (items, next) = page.cut_values(routes.desk.quarantine(&call.reach)?, &["received", "id"]);
    call.did(Event::new(Act::QuarantineListed {}));
    Ok(json(StatusCode::OK, &json!({ "quarantine": items, "next": next })))
}

pub(super) fn show(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let shown = routes.desk.quarantined(id(call), &call.reach)?;
    let of = |member: &str| shown[member].as_str().map(str::to_owned);
    call.did(Event { act: Act::QuarantineShown { item: id(call).to_owned() }, study: of("study"), code: of("code") });
    Ok(json(StatusCode::OK, &shown))
}

pub(super) fn content(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let (concerned, pieces) = routes.desk.quarantined_content(id(call), &call.reach)?;
    call.did_concerning(&Act::QuarantineShown { item: id(call).to_owned() }, &concerned);
    Ok(LocalResponse {
        status: StatusCode::OK,
        content_type: "application/octet-stream",
        headers: Vec::new(),
        body: LocalBody::Stream(pieces),
    })
}

pub(super) fn retry(routes: &Routes, call: &Call) -> Answer {
    let accept = call.members(&["accept"])?.flag("accept")?.unwrap_or_default();
    let retry = if accept { Retry::Accepted } else { Retry::AsItCame };
    let concerned = routes.desk.retry_quarantined(id(call), retry, &call.reach)?;
    call.did_concerning(&Act::QuarantineRetried { item: id(call).to_owned(), accepted: accept }, &concerned);
    Ok(json(StatusCode::OK, &json!({ "id": id(call), "retried": true })))
}

pub(super) fn remove(routes: &Routes, call: &Call) -> Answer {
    let reason = reason(call.members(&["reason"])?.text("reason")?, true)?.unwrap_or_default();
    let concerned = routes.desk.drop_quarantined(id(call), &call.reach)?;
    call.did_concerning(&Act::QuarantineDropped { item: id(call).to_owned(), reason }, &concerned);
    Ok(json(StatusCode::OK, &json!({ "id": id(call), "dropped": true })))
}

fn id(call: &Call) -> &str {
    call.arguments.first().map_or("", String::as_str)
}
