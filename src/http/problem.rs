//! Problem documents (RFC 9457): the one place where refusals become statuses.
//!
//! Never: an internal cause, a path of the machine, or anything of a participant beyond what the caller sent.

use bytes::Bytes;
use hyper::{
    StatusCode,
    header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;

use crate::access::tokens;
use crate::audit;
use crate::http::local_api::{LocalBody, LocalResponse};
use crate::people::refusal::{Kind, Refusal};

/// The media type of a problem document.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong with a request, as its caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    sort: Sort,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Refused(Kind),
    NoToken,
    Slowed,
    Forbidden,
    MethodNotAllowed,
    TooSlow,
    TooLarge,
    Internal,
}

impl Problem {
    /// The request is not well formed; the sentence says what to change.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self { sort: Sort::Refused(Kind::Invalid), detail: detail.into(), header: None }
    }

    /// There is nothing at this path.
    pub fn no_such_path() -> Self {
        let detail = "There is no such resource; this version's resources are those of its commands.";
        Self { sort: Sort::Refused(Kind::NotFound), detail: detail.into(), header: None }
    }

    /// The resource does not take this method; those in `allowed` it does.
    pub fn method_not_allowed(allowed: &[&str]) -> Self {
        let list = allowed.join(", ");
        let header = HeaderValue::from_str(&list).ok().map(|value| (ALLOW, value));
        Self { sort: Sort::MethodNotAllowed, detail: format!("This resource takes {list} only."), header }
    }

    /// No token, or none that is good.
    pub fn unauthorized(detail: &'static str) -> Self {
        let header = Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        Self { sort: Sort::NoToken, detail: detail.into(), header }
    }

    /// Too many tokens were not good; so many seconds are to pass.
    pub fn slowed(seconds: u64) -> Self {
        let detail = format!("Too many tokens were refused; try again in {seconds} s.");
        Self { sort: Sort::Slowed, detail, header: Some((RETRY_AFTER, HeaderValue::from(seconds))) }
    }

    /// The body did not come in time.
    pub fn too_slow() -> Self {
        Self { sort: Sort::TooSlow, detail: "The request's body took too long; send it again.".into(), header: None }
    }

    /// The body is longer than any request.
    pub fn too_large() -> Self {
        Self { sort: Sort::TooLarge, detail: "The request is larger than 1 MiB; ask for less.".into(), header: None }
    }

    /// The caller's role does not permit it.
    pub fn forbidden() -> Self {
        let detail = "Your role does not permit this; ask whoever gave you access.";
        Self { sort: Sort::Forbidden, detail: detail.into(), header: None }
    }

    /// A fault of the gateway.
    pub fn internal() -> Self {
        let detail = "The gateway failed at this request; its log says more.";
        Self { sort: Sort::Internal, detail: detail.into(), header: None }
    }

    /// The answer.
    pub fn into_response(self) -> LocalResponse {
        let (name, title, status) = described(self.sort);
        let document = json!({
            "type": format!("urn:studygate:problem:{name}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
        });
        let mut headers: Vec<_> = self.header.into_iter().collect();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.push((RETRY_AFTER, HeaderValue::from_static("5")));
        }
        let body = LocalBody::Full(Bytes::from(document.to_string()));
        LocalResponse { status, content_type: CONTENT_TYPE, headers, body }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { sort: Sort::Refused(refusal.kind()), detail: refusal.to_string(), header: None }
    }
}

impl From<tokens::Error> for Problem {
    fn from(error: tokens::Error) -> Self {
        let kind = match error {
            tokens::Error::BadName | tokens::Error::Expired | tokens::Error::MonitorOfStudy => Kind::Invalid,
            tokens::Error::NameTaken | tokens::Error::TooMany => Kind::Conflict,
            tokens::Error::NoToken => Kind::NotFound,
            tokens::Error::Store(_) => Kind::StoreFailed,
        };
        Self { sort: Sort::Refused(kind), detail: error.to_string(), header: None }
    }
}

/// Nothing is done that the audit log cannot say.
impl From<audit::Error> for Problem {
    fn from(error: audit::Error) -> Self {
        tracing::error!(%error, "a request of the local API was refused, since it cannot be audited; check the disk");
        let (kind, detail) = match error {
            audit::Error::DiskLow => {
                let detail =
                    "The disk has no room for an entry of the audit log, so nothing is done; free space on it.";
                (Kind::Unavailable, detail.to_owned())
            }
            audit::Error::Failed(_) | audit::Error::Store(_) => (Kind::StoreFailed, Refusal::Store.to_string()),
        };
        Self { sort: Sort::Refused(kind), detail, header: None }
    }
}

/// The last part of the type, the title, the status.
fn described(sort: Sort) -> (&'static str, &'static str, StatusCode) {
    match sort {
        Sort::Refused(Kind::Invalid) => ("invalid", "The request is not well formed", StatusCode::BAD_REQUEST),
        Sort::Refused(Kind::NotFound) => ("not-found", "Not found", StatusCode::NOT_FOUND),
        Sort::Refused(Kind::Conflict) => ("conflict", "The state of things forbids it", StatusCode::CONFLICT),
        Sort::Refused(Kind::Locked) => ("locked", "The study is locked or closed", StatusCode::LOCKED),
        Sort::Refused(Kind::NotBuilt) => ("not-built", "This version does not do it", StatusCode::NOT_IMPLEMENTED),
        Sort::Refused(Kind::Unavailable) => ("unavailable", "Try again later", StatusCode::SERVICE_UNAVAILABLE),
        Sort::Refused(Kind::StoreFailed) => ("store-failed", "The store failed", StatusCode::SERVICE_UNAVAILABLE),
        Sort::NoToken => ("unauthorized", "A good token is needed", StatusCode::UNAUTHORIZED),
        Sort::Slowed => ("slowed", "Too many tokens were refused", StatusCode::TOO_MANY_REQUESTS),
        Sort::TooSlow => ("too-slow", "The request took too long", StatusCode::REQUEST_TIMEOUT),
        Sort::TooLarge => ("too-large", "The request is too large", StatusCode::PAYLOAD_TOO_LARGE),
        Sort::Forbidden => ("forbidden", "Your role does not permit it", StatusCode::FORBIDDEN),
        Sort::MethodNotAllowed => ("method-not-allowed", "The method is not allowed", StatusCode::METHOD_NOT_ALLOWED),
        Sort::Internal => ("internal", "The gateway failed", StatusCode::INTERNAL_SERVER_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(problem: Problem) -> String {
        let LocalResponse { status, content_type, headers, body } = problem.into_response();
        assert_eq!(content_type, CONTENT_TYPE);
        let LocalBody::Full(body) = body else { panic!("a problem is told whole") };
        let document: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(document["status"], status.as_u16());
        let headers = headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("text")));
        format!("{}{document:#}", headers.collect::<String>())
    }

    #[test]
    fn problem_documents_keep_their_form() {
        insta::assert_snapshot!(text(Problem::from(Refusal::NoStudy("ALPHA".into()))), @r#"
        {
          "detail": "There is no study \"ALPHA\"; `studygate study list` shows the studies.",
          "status": 404,
          "title": "Not found",
          "type": "urn:studygate:problem:not-found"
        }
        "#);
        insta::assert_snapshot!(text(Problem::method_not_allowed(&["GET", "POST"])), @r#"
        allow: GET, POST
        {
          "detail": "This resource takes GET, POST only.",
          "status": 405,
          "title": "The method is not allowed",
          "type": "urn:studygate:problem:method-not-allowed"
        }
        "#);
        insta::assert_snapshot!(text(Problem::from(Refusal::Store)), @r#"
        retry-after: 5
        {
          "detail": "The store failed; the gateway recovers it when it is started again.",
          "status": 503,
          "title": "The store failed",
          "type": "urn:studygate:problem:store-failed"
        }
        "#);
    }

    #[test]
    fn act_that_cannot_be_audited_is_refused_for_now() {
        for error in [audit::Error::DiskLow, audit::Error::Store(crate::store::engine::Error::Poisoned)] {
            let LocalResponse { status, headers, .. } = Problem::from(error).into_response();
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(headers.iter().any(|(name, _)| *name == RETRY_AFTER));
        }
    }

    #[test]
    fn problem_types_keep_their_names_and_statuses() {
        let kinds = [
            Kind::Invalid,
            Kind::NotFound,
            Kind::Conflict,
            Kind::Locked,
            Kind::NotBuilt,
            Kind::Unavailable,
            Kind::StoreFailed,
        ];
        let sorts = kinds.map(Sort::Refused).into_iter().chain([
            Sort::NoToken,
            Sort::Slowed,
            Sort::Forbidden,
            Sort::MethodNotAllowed,
            Sort::TooSlow,
            Sort::TooLarge,
            Sort::Internal,
        ]);
        let lines = sorts.map(|sort| {
            let (name, title, status) = described(sort);
            format!("{} {name}: {title}\n", status.as_u16())
        });
        insta::assert_snapshot!(lines.collect::<String>(), @r"
        400 invalid: The request is not well formed
        404 not-found: Not found
        409 conflict: The state of things forbids it
        423 locked: The study is locked or closed
        501 not-built: This version does not do it
        503 unavailable: Try again later
        503 store-failed: The store failed
        401 unauthorized: A good token is needed
        429 slowed: Too many tokens were refused
        403 forbidden: Your role does not permit it
        405 method-not-allowed: The method is not allowed
        408 too-slow: The request took too long
        413 too-large: The request is too large
        500 internal: The gateway failed
        ");
    }
}
