//! The routes of the local API: one table, one file a resource.
//!
//! Times go out in RFC 3339, UTC; null is an open end. Times come in as a date or an RFC 3339 time. Errors are
//! problem documents. Unknown members and query parameters are refused. The shapes stand in each resource's file.
//!
//! Never: a userId in an answer; a participant's code in the log.

mod audit;
mod backups;
mod coverage;
pub mod desk;
mod disclose;
mod export;
mod exports;
pub mod keys;
mod lists;
mod members;
mod openapi;
mod page;
mod participants;
mod pulls;
mod purges;
mod quarantine;
mod rules;
mod schema;
mod studies;
mod table;
mod times;
mod tokens;
mod told;
mod views;

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;

use crate::access::Gate;
use crate::access::rights::{Denied, Grant, Reach, Rights};
use crate::audit::{Act, Event, Log, Who};
use crate::clock::Clock;
use crate::http::local::desk::{Concerned, Desk};
use crate::http::local::members::{Members, Query, decode};
use crate::http::local::table::{ROUTES, Route, Trail};
use crate::http::local_api::{Caller, LocalAnswer, LocalApi, LocalRequest, LocalResponse};
use crate::http::problem::Problem;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::refusal::Refusal;
use crate::withdrawal;

/// What every path begins with.
pub const BASE: &str = "/api/v1/";

type Answer = Result<LocalResponse, Problem>;
type Handler = fn(&Routes, &Call) -> Answer;

/// The local API over the directory of people and the rest of the gateway.
#[derive(Clone)]
pub struct Routes {
    people: Arc<People>,
    desk: Arc<dyn Desk>,
    audit: Arc<Log>,
    clock: Arc<dyn Clock>,
    access: Arc<Gate>,
}

/// A request that found its route.
struct Call {
    arguments: Vec<String>,
    query: String,
    body: Bytes,
    peer: Caller,
    id: String,
    reach: Reach,
    done: RefCell<Vec<Event>>,
}

impl Routes {
    /// The routes over these.
    pub fn new(
        people: Arc<People>,
        desk: Arc<dyn Desk>,
        audit: Arc<Log>,
        clock: Arc<dyn Clock>,
        access: Arc<Gate>,
    ) -> Self {
        Self { people, desk, audit, clock, access }
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
        for route in ROUTES {
            let Some(arguments) = route.matched(&segments) else { continue };
            if request.method.as_str() == route.method {
                // Decided before anything is looked up.
                let bounds = route.bounds(&arguments);
                let reach = self.rights(&request.peer).decide(route.needs, bounds).map_err(|denied| match denied {
                    Denied::Forbidden => Problem::forbidden(),
                    Denied::Hidden => Refusal::no_study(bounds.study().unwrap_or_default()).into(),
                })?;
                let LocalRequest { query, body, peer, id, .. } = request;
                self.note_use(&peer);
                let call = Call { arguments, query, body, peer, id, reach, done: RefCell::default() };
                return match route.trail {
                    Trail::Audited if route.method == "GET" => self.read(&call, route.handler),
                    Trail::Audited => self.changed(&call, route),
                    Trail::ByDesk | Trail::Plain => (route.handler)(self, &call),
                };
            }
            allowed.push(route.method);
        }
        match allowed.is_empty() {
            true => Err(Problem::no_such_path()),
            false => Err(Problem::method_not_allowed(&allowed)),
        }
    }

    /// What was read is entered before anybody sees it.
    fn read(&self, call: &Call, handler: Handler) -> Answer {
        self.audit.ready()?;
        let answer = handler(self, call);
        let events = call.taken(answer.is_ok());
        if !events.is_empty() {
            self.audit.append(call.who(), events)?;
        }
        answer
    }

    /// What is to be changed is durable first, so that a crash leaves no change without an entry. What was done is
    /// entered also where the rest of it was refused.
    fn changed(&self, call: &Call, route: &Route) -> Answer {
        let [study, code] = call.concerned(route);
        let request = format!("{} {}", route.method, route.path);
        let intent = self.audit.begin(call.who(), request, study, code)?;
        let answer = (route.handler)(self, call);
        self.audit.over(&intent, call.taken(answer.is_ok()))?;
        answer
    }

    /// A token's last use is worth knowing, and not worth a refusal.
    fn note_use(&self, caller: &Caller) {
        if let Caller::Token { name, .. } = caller
            && let Err(error) = self.access.tokens.used(name, self.now())
        {
            tracing::warn!(%error, token = name, "the last use of a token could not be kept");
        }
    }

    fn rights(&self, caller: &Caller) -> Rights {
        match caller {
            Caller::Socket { uid, groups, .. } => self.access.socket.rights(*uid, groups),
            Caller::Token { role, scope, .. } => Rights::new(vec![Grant { scope: scope.clone(), role: *role }]),
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
                tracing::error!("a request of the local API ended in a panic; please report it");
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

    /// Study and code that the path of such a request names.
    fn concerned(&self, route: &Route) -> [Option<&str>; 2] {
        let is_of_study = route.path.contains("{study}");
        [0, 1].map(|place| self.arguments.get(place).filter(|_| is_of_study).map(String::as_str))
    }

    /// What was done, told to the system's log.
    fn taken(&self, is_answered: bool) -> Vec<Event> {
        let events = self.done.take();
        debug_assert!(!is_answered || !events.is_empty(), "an audited route says what it did");
        events.iter().for_each(|event| self.log(event));
        events
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
        match &self.peer {
            Caller::Socket { uid, login_uid, .. } => Who::Socket { uid: *uid, login_uid: *login_uid },
            Caller::Token { name, .. } => Who::Token { name: name.clone() },
        }
    }

    /// Codes do not stand in the system's log.
    fn log(&self, event: &Event) {
        let (action, study, request) = (event.act.name(), event.study.as_deref(), &self.id);
        match &self.peer {
            Caller::Socket { uid, login_uid, .. } => {
                tracing::info!(action, study, uid, login_uid, request, "done over the local API");
            }
            Caller::Token { name, .. } => {
                tracing::info!(action, study, token = name, request, "done over the local API")
            }
        }
    }
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> LocalResponse {
    let text = serde_json::to_vec(value).expect("the views have text keys and finite numbers");
    LocalResponse::json(status, text)
}
