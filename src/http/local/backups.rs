//! Backups.
//!
//! | request | answer |
//! |---|---|
//! | GET backups | `{"backups": [{"id", "made_at", "file", "bytes", "verified_at"}]}`; `file` is null where it was handed out |
//! | GET backups/new | a backup, streamed as `application/octet-stream`; one that is cut short is none |
//! | GET backups/purge-log | the purge log that a restore needs, `application/octet-stream` |

use hyper::{
    StatusCode,
    header::{CONTENT_DISPOSITION, HeaderValue},
};

use crate::audit::{Act, Event};
use crate::http::local::{Answer, Call, Routes, json};
use crate::http::local_api::{LocalBody, LocalResponse};
use crate::http::problem::Problem;

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    Ok(json(StatusCode::OK, &routes.desk.backups()))
}

pub(super) fn begin(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let stream = routes.desk.backup(call.who())?;
    // The name is made of a time.
    let disposition = format!("attachment; filename=\"{}\"", stream.file_name);
    let disposition = HeaderValue::from_str(&disposition).map_err(|_| Problem::internal())?;
    let headers = vec![(CONTENT_DISPOSITION, disposition)];
    Ok(bytes(headers, LocalBody::Stream(stream.pieces)))
}

pub(super) fn purge_log(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let log = routes.desk.purge_log()?;
    call.did(Event::new(Act::PurgeLogHandedOut {}));
    Ok(bytes(Vec::new(), LocalBody::Full(log.into())))
}

fn bytes(headers: Vec<(hyper::header::HeaderName, HeaderValue)>, body: LocalBody) -> LocalResponse {
    LocalResponse { status: StatusCode::OK, content_type: "application/octet-stream", headers, body }
}
