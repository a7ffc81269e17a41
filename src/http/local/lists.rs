//! What needs a person, and how the gateway is.
//!
//! | request | answer |
//! |---|---|
//! | GET unassigned?limit=&after= | `{"next", "unassigned": [{"handle", "client", "device", "first_seen", "last_seen", "items": {type: count}}]}` |
//! | GET status | an object |

use hyper::StatusCode;
use serde_json::json;

use crate::access::rights::Reach;
use crate::audit::{Act, Event};
use crate::http::local::{Answer, Call, Routes, json, page::Page, views::HeldView};

/// What `status` says to whom single studies are granted: nothing that counts the others in.
const OF_EVERYBODY: &[&str] = &["version", "ready", "not_ready", "certificate"];

/// Held connections that nobody has linked, the first seen first. They belong to no study: whoever may link them sees all of them.
pub(super) fn unassigned(routes: &Routes, call: &Call) -> Answer {
    let page = Page::of(&call.query(Page::QUERY)?)?;
    let directory = routes.people.read();
    let held: Vec<_> = directory.held().map(|(_, connection)| &*connection.held).filter(|held| !held.linked).collect();
    // Unlike the time it was last seen, the first one stays, and so does its place in the list.
    let (held, next) = page.cut(held, |held| format!("{}~{}", held.first_seen, held.handle));
    let views: Vec<_> = held.into_iter().map(HeldView::new).collect();
    call.did(Event::new(Act::UnassignedListed {}));
    Ok(json(StatusCode::OK, &json!({ "unassigned": views, "next": next })))
}

pub(super) fn status(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let mut status = routes.desk.status();
    if call.reach != Reach::All
        && let Some(members) = status.as_object_mut()
    {
        members.retain(|name, _| OF_EVERYBODY.contains(&name.as_str()));
    }
    Ok(json(StatusCode::OK, &status))
}
