//! Pulls, for a person to look at and to decide about.
//!
//! | request | answer |
//! |---|---|
//! | GET pulls?all=&after= | `{"pulls": [PULL], "next"}`: those that ended without data, or all; `next` goes into `after` |
//! | POST pulls/{id}/retry | `{"id", "retried": true}` |
//! | DELETE pulls/{id} `{"reason"}` | `{"id", "dropped": true}` |
//!
//! PULL: `{"id", "type", "state", "received", "deadline", "next", "ended", "attempts", "last", "url", "for"}`; `url` is
//! host and path, never the token; `for` holds `{"study", "code"}` or `{"unassigned"}`.

use hyper::StatusCode;
use serde_json::json;

use crate::http::local::{Answer, Call, Routes, json};
use crate::http::local_api::Caller;
use crate::http::problem::Problem;

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    let query = call.query(&["all", "after"])?;
    let all = match query.one("all")? {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::invalid("\"all\" is neither true nor false.")),
    };
    let (pulls, next) = routes.desk.pulls(all, query.one("after")?)?;
    Ok(json(StatusCode::OK, &json!({ "pulls": pulls, "next": next })))
}

pub(super) fn retry(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    routes.desk.retry_pull(id(call), routes.clock.now())?;
    did(call, "pulls retry");
    Ok(json(StatusCode::OK, &json!({ "id": id(call), "retried": true })))
}

pub(super) fn remove(routes: &Routes, call: &Call) -> Answer {
    let reason = call.members(&["reason"])?.needed_text("reason")?;
    if reason.trim().is_empty() {
        return Err(Problem::invalid("\"reason\" is empty; say why."));
    }
    routes.desk.drop_pull(id(call), routes.clock.now())?;
    did(call, "pulls drop");
    Ok(json(StatusCode::OK, &json!({ "id": id(call), "dropped": true })))
}

fn id(call: &Call) -> &str {
    call.arguments.first().map_or("", String::as_str)
}

fn did(call: &Call, action: &'static str) {
    let Caller { uid, login_uid, .. } = call.peer;
    tracing::info!(action, pull = id(call), uid, login_uid, "done over the local API");
}
