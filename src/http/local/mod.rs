//! The routes of the local API: one table, one file a resource.
//!
//! Times go out in RFC 3339, UTC; null is an open end. Times come in as a date or an RFC 3339 time. Errors are
//! problem documents. Unknown members and query parameters are refused. The shapes stand in each resource's file.
//!
//! Never: a userId in an answer; a participant's code in the log.

pub mod desk;
mod export;
mod lists;
mod members;
mod participants;
mod pulls;
mod purges;
mod quarantine;
mod rules;
mod studies;
mod times;
mod views;

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;

use crate::clock::Clock;
use crate::http::local::desk::Desk;
use crate::http::local::members::{Members, Query, decode};
use crate::http::local_api::{Caller, LocalAnswer, LocalApi, LocalRequest, LocalResponse};
use crate::http::problem::Problem;
use crate::model::time::UnixSeconds;
use crate::people::People;

/// What every path begins with.
pub const BASE: &str = "/api/v1/";

type Answer = Result<LocalResponse, Problem>;
type Handler = fn(&Routes, &Call) -> Answer;

/// Path below [`BASE`], method, handler. A segment in braces takes any text.
const ROUTES: &[(&str, &str, Handler)] = &[
    ("studies", "GET", studies::list),
    ("studies", "POST", studies::add),
    ("studies/{study}", "GET", studies::show),
    ("studies/{study}", "PATCH", studies::set),
    ("studies/{study}/lock", "POST", studies::lock),
    ("studies/{study}/close", "POST", studies::close),
    ("studies/{study}/participants", "GET", participants::list),
    ("studies/{study}/participants", "POST", participants::add),
    ("studies/{study}/participants/{code}", "GET", participants::show),
    ("studies/{study}/participants/{code}", "PATCH", participants::set),
    ("studies/{study}/participants/{code}/rename", "POST", participants::rename),
    ("studies/{study}/participants/{code}/link", "POST", participants::link),
    ("studies/{study}/participants/{code}/unlink", "POST", participants::unlink),
    ("studies/{study}/participants/{code}/pause", "POST", participants::pause),
    ("studies/{study}/participants/{code}/resume", "POST", participants::resume),
    ("studies/{study}/participants/{code}/complete", "POST", participants::complete),
    ("studies/{study}/participants/{code}/withdraw", "POST", purges::withdraw),
    ("studies/{study}/participants/{code}/receipt", "GET", purges::receipt),
    ("studies/{study}/export", "GET", export::begin),
    ("unassigned", "GET", lists::unassigned),
    ("quarantine", "GET", quarantine::list),
    ("quarantine/{id}", "GET", quarantine::show),
    ("quarantine/{id}", "DELETE", quarantine::remove),
    ("quarantine/{id}/content", "GET", quarantine::content),
    ("quarantine/{id}/retry", "POST", quarantine::retry),
    ("pulls", "GET", pulls::list),
    ("pulls/{id}", "DELETE", pulls::remove),
    ("pulls/{id}/retry", "POST", pulls::retry),
    ("purges", "GET", purges::list),
    ("purges/{id}/confirm", "POST", purges::confirm),
    ("purges/{id}/reject", "POST", purges::reject),
    ("status", "GET", lists::status),
];

/// The local API over the directory of people and the rest of the gateway.
#[derive(Clone)]
pub struct Routes {
    people: Arc<People>,
    desk: Arc<dyn Desk>,
    clock: Arc<dyn Clock>,
}

/// A request that found its route.
struct Call {
    arguments: Vec<String>,
    query: String,
    body: Bytes,
    peer: Caller,
}

impl Routes {
    /// The routes over these.
    pub fn new(people: Arc<People>, desk: Arc<dyn Desk>, clock: Arc<dyn Clock>) -> Self {
        Self { people, desk, clock }
    }

    /// Answers a request; blocks while a change becomes durable.
    pub fn answer(&self, request: LocalRequest) -> LocalResponse {
        self.routed(request).unwrap_or_else(Problem::into_response)
    }

    fn routed(&self, request: LocalRequest) -> Answer {
        let below = request.path.strip_prefix(BASE).ok_or_else(Problem::no_such_path)?;
        let segments: Option<Vec<String>> = below.split('/').map(decode).collect();
        let segments = segments.ok_or_else(|| Problem::invalid("The path is not percent-encoded UTF-8."))?;
        let mut allowed = Vec::new();
        for (pattern, method, handler) in ROUTES {
            let Some(arguments) = matched(pattern, &segments) else { continue };
            if request.method.as_str() == *method {
                let LocalRequest { query, body, peer, .. } = request;
                return handler(self, &Call { arguments, query, body, peer });
            }
            allowed.push(*method);
        }
        match allowed.is_empty() {
            true => Err(Problem::no_such_path()),
            false => Err(Problem::method_not_allowed(&allowed)),
        }
    }

    fn now(&self) -> UnixSeconds {
        self.clock.now()
    }
}

impl LocalApi for Routes {
    fn handle(&self, request: LocalRequest) -> LocalAnswer<'_> {
        let routes = self.clone();
        Box::pin(async move {
            // A change goes on to its end also where the caller hangs up.
            let answered = tokio::task::spawn_blocking(move || routes.answer(request)).await;
            answered.unwrap_or_else(|_| {
                tracing::error!("a request of the local API ended in a panic");
                Problem::internal().into_response()
            })
        })
    }
}

impl Call {
    fn study(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }

    fn code(&self) -> &str {
        self.arguments.get(1).map_or("", String::as_str)
    }

    /// The members of the body, where the request takes no query.
    fn members(&self, known: &[&str]) -> Result<Members, Problem> {
        self.query(&[])?;
        Members::of_body(&self.body, known)
    }

    fn query(&self, known: &[&str]) -> Result<Query, Problem> {
        Query::parse(&self.query, known)
    }

    /// Says in the log that the caller did this to the study. Codes do not stand in the log.
    fn did(&self, action: &'static str, study: &str) {
        let Caller { uid, login_uid, .. } = self.peer;
        match login_uid {
            Some(login_uid) => tracing::info!(action, study, uid, login_uid, "done over the local API"),
            None => tracing::info!(action, study, uid, "done over the local API"),
        }
    }
}

/// The texts that stand for the braces of the pattern, where it matches.
fn matched(pattern: &str, segments: &[String]) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    let mut rest = segments.iter();
    for part in pattern.split('/') {
        let segment = rest.next()?;
        match part.starts_with('{') {
            true => arguments.push(segment.clone()),
            false if part == segment => {}
            false => return None,
        }
    }
    rest.next().is_none().then_some(arguments)
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> LocalResponse {
    let text = serde_json::to_vec(value).expect("the views have text keys and finite numbers");
    LocalResponse::json(status, text)
}
