//! The answers of the ingress: each outcome has one status, and says no more than its sender may know.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode, Version,
    body::Incoming,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde_json::json;

use crate::http::connection::{Answer, Answered};
use crate::ingest::refusal::{Malformed, Refusal};
use crate::telemetry::{http::Route, ingest::NotificationOutcome};

/// When a refused sender should try again, in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("30");

/// What became of a request to the ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The body is durable.
    Durable,
    /// Outside the known paths.
    UnknownPath,
    /// Not POST.
    NotPost,
    /// The sender may not notify.
    Forbidden,
    /// Neither JSON nor a known content coding.
    UnknownMedia,
    /// Framed in a way that is not taken.
    BadFraming,
    /// The body was too slow.
    TooSlow,
    /// The sender broke off after this many bytes.
    Aborted(u64),
    /// The body was refused.
    Refused(Refusal),
}

impl Outcome {
    /// What a notification is counted as; `None` for what never became one.
    pub(crate) fn counted_as(&self) -> Option<NotificationOutcome> {
        Some(match self {
            Self::UnknownPath | Self::NotPost | Self::Forbidden | Self::UnknownMedia | Self::BadFraming => return None,
            Self::Durable => NotificationOutcome::Accepted,
            Self::TooSlow => NotificationOutcome::TooSlow,
            Self::Aborted(_) => NotificationOutcome::Aborted,
            Self::Refused(Refusal::Malformed(_)) => NotificationOutcome::Malformed,
            Self::Refused(Refusal::TooLarge) => NotificationOutcome::TooLarge,
            Self::Refused(Refusal::DiskLow | Refusal::Busy | Refusal::Stopping | Refusal::StoreFailed) => {
                NotificationOutcome::Unavailable
            }
        })
    }

    /// The answer.
    pub(crate) fn response(&self) -> Response<Full<Bytes>> {
        match self {
            Self::Durable => empty(StatusCode::OK),
            Self::UnknownPath => empty(StatusCode::NOT_FOUND),
            Self::NotPost => {
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                response
            }
            Self::Forbidden => empty(StatusCode::FORBIDDEN),
            Self::UnknownMedia => empty(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::BadFraming => empty(StatusCode::BAD_REQUEST),
            Self::TooSlow => empty(StatusCode::REQUEST_TIMEOUT),
            Self::Aborted(received) => explained(&format!("the body ended early (byte {received} as sent)"), *received),
            Self::Refused(Refusal::Malformed(malformed)) => malformed_body(malformed),
            Self::Refused(Refusal::TooLarge) => empty(StatusCode::PAYLOAD_TOO_LARGE),
            Self::Refused(Refusal::DiskLow | Refusal::Busy | Refusal::Stopping | Refusal::StoreFailed) => unavailable(),
        }
    }
}

/// Says so of an answer that comes before the end of its request's body: the connection is not used further.
pub(crate) fn close_after(response: &mut Response<Full<Bytes>>, version: Version) {
    if version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Answers everything with 503: there is no slot.
pub(crate) struct Busy;

impl Answer for Busy {
    type Peer = std::net::IpAddr;
    type Body = Full<Bytes>;

    async fn answer(&self, _peer: Self::Peer, request: Request<Incoming>) -> Answered<Full<Bytes>> {
        let mut response = unavailable();
        close_after(&mut response, request.version());
        Answered { route: Route::Unknown, response }
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn unavailable() -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_S);
    response
}

fn malformed_body(malformed: &Malformed) -> Response<Full<Bytes>> {
    explained(&malformed.to_string(), malformed.offset())
}

fn explained(error: &str, offset: u64) -> Response<Full<Bytes>> {
    let text = json!({ "error": error, "offset": offset }).to_string();
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
