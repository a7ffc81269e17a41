//! The way to the authority that certifies the site's names: its own host, over HTTPS, and nobody else's.
//!
//! The operator names that host, so it may be one of the site's own network. Proxy and the site's own authorities are
//! those of callbacks, since it is the same way out.
//!
//! Limits: connecting takes 10 s, an answer 60 s; an answer has at most 1 MiB; no redirect is followed.

use std::{fmt, sync::Arc};

use bytes::{Bytes, BytesMut};
use hyper::{Request, Response};
use reqwest::{Client, Proxy, Url, redirect, retry};
use tokio::time;

use crate::model::time::UnixSeconds;
use crate::upstream::{
    client::{Error, Timeouts},
    fault::Fault,
    lookup::{Lookup, Reach, Resolver},
    proxy,
    refusal::Refused,
    retry_after, trust,
};

const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What the client needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The authority's directory, an https URL.
    pub directory: String,
    /// The site's own authorities as PEM text, trusted beside the built-in ones.
    pub ca: Option<Vec<u8>>,
    /// The site's proxy, `http://host:port`.
    pub proxy: Option<String>,
    /// How long things may take.
    pub timeouts: Timeouts,
}

/// Asks an authority. Clones share their connections.
#[derive(Clone)]
pub struct Authority {
    client: Client,
    directory: Url,
    timeouts: Timeouts,
}

/// Whether a text is an https URL of a host, without anything secret in it.
pub fn is_directory(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (url.scheme() == "https" && url.has_host() && is_plain).then_some(url)
}

impl Authority {
    /// A client by these settings that asks names here.
    pub fn new(settings: Settings, lookup: Arc<dyn Lookup>) -> Result<Self, Error> {
        let Settings { directory, ca, proxy, timeouts } = settings;
        let directory = parse(&directory).ok_or(Error::Client)?;
        let tls = trust::config(ca.as_deref()).ok_or(Error::NoCertificate)?;
        let proxy = match proxy.as_deref() {
            Some(text) => Some(proxy::parse(text).ok_or(Error::BadProxy)?),
            None => None,
        };
        let reach = proxy.as_ref().map_or(Reach::Private, |proxy| Reach::Proxy(proxy.host.clone()));
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .no_proxy()
            .dns_resolver(Resolver { lookup, reach })
            .connect_timeout(timeouts.connect)
            // It is asked a dozen times within a few seconds, and then not for weeks.
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(timeouts.connect);
        if let Some(proxy) = proxy {
            builder = builder.proxy(Proxy::all(proxy.url).map_err(|_| Error::BadProxy)?);
        }
        let client = builder.build().map_err(|_| Error::Client)?;
        Ok(Self { client, directory, timeouts })
    }

    /// Asks once. Any status is an answer.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let (parts, body) = request.into_parts();
        let url = parse(&parts.uri.to_string()).ok_or(Fault::Refused(Refused::NotHttps))?;
        if url.origin() != self.directory.origin() {
            return Err(Fault::Refused(Refused::Host));
        }
        let sent = self.client.request(parts.method, url).headers(parts.headers).body(body).send();
        match time::timeout(self.timeouts.head, async { read(sent.await.map_err(|error| Fault::of(&error))?).await })
            .await
        {
            Ok(answer) => answer,
            Err(_) => Err(Fault::TimedOut),
        }
    }
}

async fn read(mut response: reqwest::Response) -> Result<Response<Bytes>, Fault> {
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|error| Fault::of(&error))? {
        if body.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err(Fault::Broken);
        }
        body.extend_from_slice(&piece);
    }
    let mut answer = Response::new(body.freeze());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

/// How long an answer asks to wait before the next request, in seconds.
pub fn retry_after_s(answer: &Response<Bytes>, now: UnixSeconds) -> Option<i64> {
    let value = answer.headers().get(hyper::header::RETRY_AFTER)?.to_str().ok()?;
    let wait = retry_after::parse(value, now)?;
    Some(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX))
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("timeouts", &self.timeouts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_is_an_https_url_without_anything_secret() {
        for good in ["https://acme-v02.api.letsencrypt.org/directory", "https://127.0.0.1:14000/dir"] {
            assert!(is_directory(good), "{good}");
        }
        for bad in ["", "http://ca.example/dir", "ca.example/dir", "https://", "https://a:b@ca.example/dir"] {
            assert!(!is_directory(bad), "{bad}");
        }
    }
}
