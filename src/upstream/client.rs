//! The client: settings, their faults, and the one request it makes.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Client, Proxy, redirect, retry};
use tokio::time;

use crate::upstream::{
    answer::Answer,
    fault::Fault,
    lookup::{Lookup, Reach, Resolver},
    proxy,
    rules::{Callback, Rules},
    trust,
};

/// An idle connection is closed before the servers of this world usually do, so that no request goes into a dead one.
const IDLE: Duration = Duration::from_secs(15);
const IDLE_CONNECTIONS_MAX: usize = 16;

/// What the client needs to know.
#[derive(Clone)]
pub struct Settings {
    /// Where callbacks may lead.
    pub rules: Rules,
    /// The site's own authorities as PEM text, trusted beside the built-in ones.
    pub ca: Option<Vec<u8>>,
    /// The site's proxy, `http://host:port`.
    pub proxy: Option<String>,
    /// How long things may take.
    pub timeouts: Timeouts,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Looking the name up, connecting, and the TLS handshake.
    pub connect: Duration,
    /// From the start to the end of the answer's head.
    pub head: Duration,
    /// From one piece of the body to the next.
    pub stall: Duration,
}

/// Fetches callbacks. Clones share their connections.
#[derive(Clone)]
pub struct Upstream {
    client: Client,
    timeouts: Timeouts,
}

/// Why the settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The PEM text holds no usable certificate.
    NoCertificate,
    /// The proxy is not of the form `http://host:port`.
    BadProxy,
    /// The proxy is one of the hosts that callbacks may lead to.
    ProxyIsHost,
    /// The client cannot be put together.
    Client,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { connect: Duration::from_secs(10), head: minute, stall: minute }
    }
}

impl Upstream {
    /// A client by these settings that asks names here.
    pub fn new(settings: Settings, lookup: Arc<dyn Lookup>) -> Result<Self, Error> {
        let Settings { rules, ca, proxy, timeouts } = settings;
        let tls = trust::config(ca.as_deref()).ok_or(Error::NoCertificate)?;
        let proxy = match proxy.as_deref() {
            Some(text) => Some(proxy::parse(text).ok_or(Error::BadProxy)?),
            None => None,
        };
        let reach = match &proxy {
            Some(proxy) if rules.names(&proxy.host) => return Err(Error::ProxyIsHost),
            Some(proxy) => Reach::Proxy(proxy.host.clone()),
            None if rules.allow_private() => Reach::Private,
            None => Reach::Public,
        };
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .redirect(redirect::Policy::none())
            .referer(false)
            // A file can be fetched once: whether to ask again is the caller's decision.
            .retry(retry::never())
            .no_proxy()
            .dns_resolver(Resolver { lookup, reach })
            .connect_timeout(timeouts.connect)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .user_agent("studygate");
        if let Some(proxy) = proxy {
            builder = builder.proxy(Proxy::all(proxy.url).map_err(|_| Error::BadProxy)?);
        }
        let client = builder.build().map_err(|_| Error::Client)?;
        Ok(Self { client, timeouts })
    }

    /// Fetches this callback once. Any status is an answer; a redirect is not followed.
    pub async fn get(&self, callback: &Callback) -> Result<Answer, Fault> {
        let sent = self.client.get(callback.url().clone()).send();
        match time::timeout(self.timeouts.head, sent).await {
            Ok(Ok(response)) => Ok(Answer::new(response, self.timeouts.stall)),
            Ok(Err(error)) => Err(Fault::of(&error)),
            Err(_) => Err(Fault::TimedOut),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("rules", &self.rules).field("timeouts", &self.timeouts).finish_non_exhaustive()
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("timeouts", &self.timeouts).finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCertificate => "pull.ca_file holds no usable certificate: give the site's authorities as PEM",
            Self::BadProxy => "pull.proxy must be http://host:port, without a user name, a password or a path",
            Self::ProxyIsHost => "pull.proxy names a host that is also in pull.hosts: take it out of one of them",
            Self::Client => "the client for callbacks cannot be put together: report this with the version's number",
        })
    }
}

impl std::error::Error for Error {}
