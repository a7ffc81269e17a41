//! Quarantined items, for a person to look at and to decide about.
//!
//! | request | answer |
//! |---|---|
//! | GET quarantine | `{"quarantine": [ITEM]}`, the oldest first |
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

use crate::http::local::{Answer, Call, Routes, desk::Retry, json};
use crate::http::local_api::{Caller, LocalBody, LocalResponse};
use crate::http::problem::Problem;

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    Ok(json(StatusCode::OK, &json!({ "quarantine": routes.desk.quarantine()? })))
}

pub(super) fn show(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let shown = routes.desk.quarantined(id(call))?;
    did(call, "quarantine show");
    Ok(json(StatusCode::OK, &shown))
}

pub(super) fn content(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let pieces = routes.desk.quarantined_content(id(call))?;
    did(call, "quarantine show");
    Ok(LocalResponse {
        status: StatusCode::OK,
        content_type: "application/octet-stream",
        headers: Vec::new(),
        body: LocalBody::Stream(pieces),
    })
}

pub(super) fn retry(routes: &Routes, call: &Call) -> Answer {
    let accept = call.members(&["accept"])?.flag("accept")?.unwrap_or_default();
    routes.desk.retry_quarantined(id(call), if accept { Retry::Accepted } else { Retry::AsItCame })?;
    did(call, if accept { "quarantine retry --accept" } else { "quarantine retry" });
    Ok(json(StatusCode::OK, &json!({ "id": id(call), "retried": true })))
}

pub(super) fn remove(routes: &Routes, call: &Call) -> Answer {
    let reason = call.members(&["reason"])?.needed_text("reason")?;
    if reason.trim().is_empty() {
        return Err(Problem::invalid("\"reason\" is empty; say why."));
    }
    routes.desk.drop_quarantined(id(call))?;
    did(call, "quarantine drop");
    Ok(json(StatusCode::OK, &json!({ "id": id(call), "dropped": true })))
}

fn id(call: &Call) -> &str {
    call.arguments.first().map_or("", String::as_str)
}

/// Says in the log who did this to the item of an id that was found.
fn did(call: &Call, action: &'static str) {
    let Caller { uid, login_uid, .. } = call.peer;
    tracing::info!(action, item = id(call), uid, login_uid, "done over the local API");
}
