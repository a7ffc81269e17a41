//! Garmin's way of posting notifications: its headers, thirty seconds for a 200, and again with growing back-off for
//! whatever else comes.
//!
//! Never: a redirect followed; a body in a log or an error.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    StatusCode, Uri,
    header::{ACCEPT_ENCODING, HeaderName, HeaderValue, USER_AGENT},
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};

use crate::backoff::Backoff;
use crate::client::connection::{Connection, Error, Outgoing, Sent};
use crate::client::trust::Trust;
use crate::simulate::random::Random;

/// Garmin takes anything but a 200 within this time for a failure.
pub const LIMIT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 << 10;
const CLIENT_ID: HeaderName = HeaderName::from_static("garmin-client-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where notifications go.
#[derive(Clone, Debug)]
pub struct Target {
    name: String,
    address: String,
    path: String,
    trust: Trust,
}

/// The text is no URL that notifications could go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadUrl;

/// How a sender behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `garmin-client-id`; left out where empty.
    pub client_id: String,
    /// How long an answer may take.
    pub limit: Duration,
    /// How long it rests before a failed notification is sent again.
    pub backoff: Backoff,
    /// After this many attempts a notification is given up.
    pub attempts_max: u32,
    /// At most this many requests are under way at once.
    pub concurrency: usize,
    /// What the back-off's jitter comes from.
    pub seed: u64,
}

/// What is sent.
#[derive(Clone)]
pub enum Body {
    /// Text in memory.
    Text(Bytes),
    /// Made anew, piece by piece, for each attempt.
    Made(Arc<dyn Fn() -> mpsc::Receiver<io::Result<Bytes>> + Send + Sync>),
}

/// How a notification ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How often it was sent.
    pub attempts: u32,
    /// `None` where it was answered 200 at last, else how the last attempt failed.
    pub failure: Option<Miss>,
}

/// Why an attempt counts as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Another status than 200.
    Status(u16),
    /// No answer within the limit.
    Late,
    /// No connection, or one that broke off.
    Broken,
}

/// Posts notifications to one target, over connections that are kept.
pub struct Sender {
    target: Target,
    settings: Settings,
    idle: Mutex<Vec<Connection>>,
    slots: Semaphore,
}

impl Target {
    /// The target of an `https://` URL, whose certificate must be one of `trust`.
    pub fn of(url: &str, trust: Trust) -> Result<Self, BadUrl> {
        let uri: Uri = url.parse().map_err(|_| BadUrl)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(BadUrl)?;
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if uri.scheme_str() != Some("https") || uri.query().is_some() || has_user {
            return Err(BadUrl);
        }
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let address = format!("{host}:{}", uri.port_u16().unwrap_or(443));
        Ok(Self { name, address, path: uri.path().to_owned(), trust })
    }

    /// Connects once and closes again.
    pub async fn try_out(&self) -> Result<(), Error> {
        self.connect().await.map(drop)
    }

    async fn connect(&self) -> Result<Connection, Error> {
        Connection::https(&self.address, &self.name, &self.trust).await
    }
}

impl Default for Settings {
    fn default() -> Self {
        let backoff = Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(60) };
        Self { client_id: String::new(), limit: LIMIT, backoff, attempts_max: 10, concurrency: 4, seed: 0 }
    }
}

impl Settings {
    /// The rest before this notification is sent again.
    fn rest(&self, number: u64, attempts: u32) -> Duration {
        let mut random = Random::at(self.seed, &[u64::from(b'j'), number, u64::from(attempts)]);
        self.backoff.wait(attempts, random.decimal(0.0, 1.0, 6))
    }
}

impl Sender {
    /// A sender that has no connection yet.
    pub fn new(target: Target, settings: Settings) -> Self {
        let slots = Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Self { target, settings, idle: Mutex::default(), slots }
    }

    /// Posts a notification until it is answered 200 or given up. `number` tells it from others, for the jitter.
    pub async fn deliver(&self, number: u64, body: &Body) -> Delivery {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let Err(miss) = self.post(body).await else { return Delivery { attempts, failure: None } };
            if attempts >= self.settings.attempts_max {
                return Delivery { attempts, failure: Some(miss) };
            }
            sleep(self.settings.rest(number, attempts)).await;
        }
    }

    /// Posts a notification once.
    pub async fn post(&self, body: &Body) -> Result<(), Miss> {
        let _slot = self.slots.acquire().await.map_err(|_| Miss::Broken)?;
        timeout(self.settings.limit, self.attempt(body)).await.map_err(|_| Miss::Late)?
    }

    async fn attempt(&self, body: &Body) -> Result<(), Miss> {
        let mut connection = match self.kept() {
            Some(kept) => kept,
            None => self.target.connect().await.map_err(|_| Miss::Broken)?,
        };
        let answer = connection.send(self.outgoing(body)).await.map_err(|_| Miss::Broken)?;
        let status = answer.status;
        // Only a connection whose answer was read to its end takes another request.
        if answer.whole(ANSWER_BYTES_MAX).await.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        if status == StatusCode::OK { Ok(()) } else { Err(Miss::Status(status.as_u16())) }
    }

    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.is_closed());
        idle.pop()
    }

    fn outgoing(&self, body: &Body) -> Outgoing {
        let mut outgoing = Outgoing::post_json(self.target.path.clone(), Bytes::new())
            .header(USER_AGENT, HeaderValue::from_static("Garmin Health API"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip, x-gzip, deflate"))
            .header(FORWARDED_FOR, HeaderValue::from_static("192.0.2.7"))
            .header(FORWARDED_PROTO, HeaderValue::from_static("https"));
        outgoing.body = match body {
            Body::Text(text) => Sent::Whole(text.clone()),
            Body::Made(make) => Sent::Stream(make()),
        };
        match HeaderValue::from_str(&self.settings.client_id) {
            Ok(id) if !id.is_empty() => outgoing.header(CLIENT_ID, id),
            _ => outgoing,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text of {} bytes", text.len()),
            Self::Made(_) => f.write_str("Made"),
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "answered {status}"),
            Self::Late => f.write_str("not answered in time"),
            Self::Broken => f.write_str("no connection, or it broke off"),
        }
    }
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no https:// URL with a host and a path; write it as https://gateway.site:8443/garmin/…")
    }
}

impl std::error::Error for BadUrl {}

#[cfg(test)]
mod tests;
