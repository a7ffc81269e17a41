//! The routes of the local API: one table, one file a resource.
//!
//! Times go out in RFC 3339, UTC; null is an open end. Times come in as a date or an RFC 3339 time. Errors are
//! problem documents. Unknown members and query parameters are refused. The shapes stand in each resource's file.
//!
//! Never: a userId in an answer; a participant's code in the log.

mod audit;
pub mod desk;
mod export;
mod exports;
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

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;

use crate::audit::{Act, Event, Log, Who};
use crate::clock::Clock;
use crate::http::local::Trail::{Audited, ByDesk, Plain};
use crate::http::local::desk::{Concerned, Desk};
use crate::http::local::members::{Members, Query, decode};
use crate::http::local_api::{Caller, LocalAnswer, LocalApi, LocalRequest, LocalResponse};
use crate::http::problem::Problem;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::withdrawal;

/// What every path begins with.
pub const BASE: &str = "/api/v1/";

type Answer = Result<LocalResponse, Problem>;
type Handler = fn(&Routes, &Call) -> Answer;

/// Path below [`BASE`], method, whether it is audited, handler. A segment in braces takes any text.
const ROUTES: &[(&str, &str, Trail, Handler)] = &[
    ("studies", "GET", Plain, studies::list),
    ("studies", "POST", Audited, studies::add),
    ("studies/{study}", "GET", Plain, studies::show),
    ("studies/{study}", "PATCH", Audited, studies::set),
    ("studies/{study}/lock", "POST", Audited, studies::lock),
    ("studies/{study}/close", "POST", Audited, studies::close),
    ("studies/{study}/participants", "GET", Audited, participants::list),
    ("studies/{study}/participants", "POST", Audited, participants::add),
    ("studies/{study}/participants/{code}", "GET", Audited, participants::show),
    ("studies/{study}/participants/{code}", "PATCH", Audited, participants::set),
    ("studies/{study}/participants/{code}/rename", "POST", Audited, participants::rename),
    ("studies/{study}/participants/{code}/link", "POST", Audited, participants::link),
    ("studies/{study}/participants/{code}/unlink", "POST", Audited, participants::unlink),
    ("studies/{study}/participants/{code}/pause", "POST", Audited, participants::pause),
    ("studies/{study}/participants/{code}/resume", "POST", Audited, participants::resume),
    ("studies/{study}/participants/{code}/complete", "POST", Audited, participants::complete),
    ("studies/{study}/participants/{code}/withdraw", "POST", Audited, purges::withdraw),
    ("studies/{study}/participants/{code}/receipt", "GET", Audited, purges::receipt),
    ("studies/{study}/export", "GET", ByDesk, export::begin),
    ("exports", "GET", Audited, exports::list),
    ("exports/{study}/{number}", "GET", Audited, exports::show),
    ("unassigned", "GET", Audited, lists::unassigned),
    ("quarantine", "GET", Audited, quarantine::list),
    ("quarantine/{id}", "GET", Audited, quarantine::show),
    ("quarantine/{id}", "DELETE", Audited, quarantine::remove),
    ("quarantine/{id}/content", "GET", Audited, quarantine::content),
    ("quarantine/{id}/retry", "POST", Audited, quarantine::retry),
    ("pulls", "GET", Audited, pulls::list),
    ("pulls/{id}", "DELETE", Audited, pulls::remove),
    ("pulls/{id}/retry", "POST", Audited, pulls::retry),
    ("purges", "GET", Audited, purges::list),
    ("purges/{id}/confirm", "POST", Audited, purges::confirm),
    ("purges/{id}/reject", "POST", Audited, purges::reject),
    ("audit", "GET", Audited, audit::list),
    ("audit/verify", "POST", Audited, audit::verify),
    ("keys", "GET", Plain, audit::keys),
    ("status", "GET", Plain, lists::status),
];

/// Whether a route reads participants' data or changes anything. If so, it is refused where the audit log cannot be
/// written, and what its handler [did](Call::did) is entered before the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trail {
    Audited,
    /// The desk enters it, since it goes on after the answer has begun.
    ByDesk,
    Plain,
}

/// The local API over the directory of people and the rest of the gateway.
#[derive(Clone)]
pub struct Routes {
    people: Arc<People>,
    desk: Arc<dyn Desk>,
    audit: Arc<Log>,
    clock: Arc<dyn Clock>,
}

/// A request that found its route.
struct Call {
    arguments: Vec<String>,
    query: String,
    body: Bytes,
    peer: Caller,
    done: RefCell<Vec<Event>>,
}

impl Routes {
    /// The routes over these.
    pub fn new(people: Arc<People>, desk: Arc<dyn Desk>, audit: Arc<Log>, clock: Arc<dyn Clock>) -> Self {
        Self { people, desk, audit, clock }
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
        for (pattern, method, trail, handler) in ROUTES {
            let Some(arguments) = matched(pattern, &segments) else { continue };
            if request.method.as_str() == *method {
                let LocalRequest { query, body, peer, .. } = request;
                let call = Call { arguments, query, body, peer, done: RefCell::default() };
                return match trail {
                    Audited => self.audited(&call, *handler),
                    ByDesk | Plain => handler(self, &call),
                };
            }
            allowed.push(*method);
        }
        match allowed.is_empty() {
            true => Err(Problem::no_such_path()),
            false => Err(Problem::method_not_allowed(&allowed)),
        }
    }

    /// What was done is entered also where the rest of it was refused.
    fn audited(&self, call: &Call, handler: Handler) -> Answer {
        self.audit.ready()?;
        let answer = handler(self, call);
        let events = call.done.take();
        debug_assert!(answer.is_err() || !events.is_empty(), "an audited route says what it did");
        if !events.is_empty() {
            for event in &events {
                call.log(event);
            }
            self.audit.append(call.who(), events)?;
        }
        answer
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

    /// The caller did this: it goes into the audit log before the answer goes out.
    fn did(&self, event: Event) {
        self.done.borrow_mut().push(event);
    }

    /// The caller did this to the study of the path.
    fn did_to_study(&self, act: Act) {
        self.did(Event::of_study(act, self.study()));
    }

    /// The caller did this to the participant of the path.
    fn did_to_participant(&self, act: Act) {
        self.did(Event::of_participant(act, self.study(), self.code()));
    }

    /// The caller did this to what concerns these participants: an entry each, or one of nobody.
    fn did_concerning<'a>(&self, act: &Act, concerned: impl IntoIterator<Item = &'a Concerned>) {
        let mut events: Vec<_> = concerned
            .into_iter()
            .map(|Concerned { study, code }| Event::of_participant(act.clone(), study, code))
            .collect();
        if events.is_empty() {
            events.push(Event::new(act.clone()));
        }
        events.into_iter().for_each(|event| self.did(event));
    }

    /// The caller let participants leave, or decided about that, for this reason.
    fn did_leave(&self, events: &[withdrawal::Event], reason: Option<&str>) {
        events.iter().for_each(|event| self.did(event.entry(reason)));
    }

    fn who(&self) -> Who {
        Who::Socket { uid: self.peer.uid, login_uid: self.peer.login_uid }
    }

    /// Codes do not stand in the system's log.
    fn log(&self, event: &Event) {
        let Caller { uid, login_uid, .. } = self.peer;
        let (action, study) = (event.act.name(), event.study.as_deref());
        tracing::info!(action, study, uid, login_uid, "done over the local API");
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
