//! Pulls, for a person to look at and to decide about.
//!
//! | request | answer |
//! |---|---|
//! | GET pulls?all=&limit=&after= | `{"pulls": [PULL], "next"}`: those that ended without data, or all; `next` goes into `after` |
//! | POST pulls/{id}/retry | `{"id", "retried": true}` |
//! | DELETE pulls/{id} `{"reason"}` | `{"id", "dropped": true}` |
//!
//! PULL: `{"id", "type", "state", "received", "deadline", "next", "ended", "attempts", "last", "url", "for"}`; `url` is
//! host and path, never the token; `for` holds `{"study", "code"}` or `{"unassigned"}`.

use hyper::StatusCode;
use serde_json::json;

use crate::audit::{Act, Event};
use crate::http::local::{Answer, Call, Routes, json, page::Page, studies::reason};
use crate::http::problem::Problem;

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    let query = call.query(&["all", "limit", "after"])?;
    let page = Page::of(&query)?;
    let all = match query.one("all")? {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::invalid("\"all\" is neither true nor false.")),
    };
    let (pulls, next) = routes.desk.pulls(all, page.after.as_deref(), page.limit, &call.reach)?;
    call.did(Event::new(Act::PullsListed {}));
    Ok(json(StatusCode::OK, &json!({ "pulls": pulls, "next": next })))
}

pub(super) fn retry(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let concerned = routes.desk.retry_pull(id(call), routes.now(), &call.reach)?;
    call.did_concerning(&Act::PullRetried { pull: id(call).to_owned() }, &concerned);
    Ok(json(StatusCode::OK, &json!({ "id": id(call), "retried": true })))
}

pub(super) fn remove(routes: &Routes, call: &Call) -> Answer {
    let reason = reason(call.members(&["reason"])?.text("reason")?, true)?.unwrap_or_default();
    let concerned = routes.desk.drop_pull(id(call), routes.now(), &call.reach)?;
    call.did_concerning(&Act::PullDropped { pull: id(call).to_owned(), reason }, &concerned);
    Ok(json(StatusCode::OK, &json!({ "id": id(call), "dropped": true })))
}

fn id(call: &Call) -> &str {
    call.arguments.first().map_or("", String::as_str)
}
