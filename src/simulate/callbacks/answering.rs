//! From a request to a response, well or badly.

use std::{io, time::Duration};

use bytes::Bytes;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER},
};

use crate::simulate::callbacks::fault::Fault;
use crate::simulate::callbacks::offer::{Reply, digest_of, parameter};
use crate::simulate::callbacks::sending::Sending;
use crate::simulate::callbacks::{Fetch, Served, Shared, lock};

impl Shared {
    /// An error closes the connection before the head.
    pub(super) fn answer(&self, request: &Request<Incoming>) -> Result<Response<Sending>, io::Error> {
        let now = self.clock.now();
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let (offer, reply) = if request.method() != Method::GET {
            (None, Reply::Refused(405, "Use GET"))
        } else if request.headers().contains_key(AUTHORIZATION) {
            // No bearer token was ever given out, and a wrong one outweighs the right token of the URL.
            (None, Reply::Refused(401, "Unknown bearer token"))
        } else {
            lock(&self.offers).answer(path, query, now)
        };
        let served = match &reply {
            Reply::Good(..) => Served::Good,
            Reply::Spoiled(fault, ..) => Served::Spoiled(fault.clone()),
            Reply::Refused(status, _) => Served::Refused(*status),
        };
        let token_digest = parameter(query, "token").map(digest_of);
        let fetch = Fetch { offer, token_digest, at: now, served, bytes: 0, is_whole: false };
        let number = self.log.begin(fetch);
        match reply {
            Reply::Good(body, media) => Ok(self.whole(number, body, media, None)),
            Reply::Spoiled(fault, body, media) => self.spoiled(number, &fault, body, media),
            Reply::Refused(status, why) => Ok(self.error(number, status, why)),
        }
    }

    fn spoiled(
        &self,
        number: usize,
        fault: &Fault,
        body: Bytes,
        media: &'static str,
    ) -> Result<Response<Sending>, io::Error> {
        let half = body.slice(..body.len() / 2);
        let length = body.len();
        match fault {
            Fault::Status(status) => Ok(self.error(number, *status, "Something went wrong")),
            Fault::TooManyRequests { retry_after_s } => {
                let mut response = self.error(number, 429, "Too many requests");
                if let Some(seconds) = retry_after_s {
                    response.headers_mut().insert(RETRY_AFTER, (*seconds).into());
                }
                Ok(response)
            }
            Fault::Slow => Ok(self.whole(number, body, media, Some(self.slow_pause))),
            Fault::Cut => Ok(with_length(Sending::broken(&self.log, number, half), length, media)),
            Fault::LengthTooLong => Ok(with_length(Sending::broken(&self.log, number, body), length + 1000, media)),
            Fault::LengthTooShort => {
                let length = half.len();
                Ok(with_length(Sending::partial(&self.log, number, half), length, media))
            }
            Fault::Closed => {
                drop(Sending::partial(&self.log, number, Bytes::new()));
                Err(io::Error::from(io::ErrorKind::ConnectionAborted))
            }
            Fault::Redirect(elsewhere) => {
                let mut response = self.error(number, 302, "Look elsewhere");
                if let Ok(place) = elsewhere.parse() {
                    response.headers_mut().insert(LOCATION, place);
                }
                Ok(response)
            }
        }
    }

    fn whole(&self, number: usize, body: Bytes, media: &'static str, pause: Option<Duration>) -> Response<Sending> {
        let length = body.len();
        with_length(Sending::whole(&self.log, number, body, pause), length, media)
    }

    fn error(&self, number: usize, status: u16, why: &str) -> Response<Sending> {
        let body = Bytes::from(serde_json::json!({ "errorMessage": why }).to_string());
        let length = body.len();
        let mut response = with_length(Sending::partial(&self.log, number, body), length, "application/json");
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response
    }
}

fn with_length(body: Sending, length: usize, media: &'static str) -> Response<Sending> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
