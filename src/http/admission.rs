//! Whether a request may bring a notification, decided from its head alone, before its body is read.

use std::net::IpAddr;

use hyper::{
    HeaderMap, Method,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING},
    http::request::Parts,
};
use ipnet::IpNet;

use crate::http::{answer::Outcome, settings::IngressSettings};
use crate::ingest::{coding::Coding, refusal::Refusal};
use crate::model::connection::ClientId;

/// What the head of an admitted request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub client: ClientId,
    pub coding: Coding,
    /// The announced length of the body as sent, in bytes.
    pub length: Option<u64>,
}

/// The header that names the Garmin client.
const CLIENT_HEADER: &str = "garmin-client-id";
const FORWARDED_HEADER: &str = "x-forwarded-for";

/// Admits a request, or says what it is answered.
pub(crate) fn admit(
    settings: &IngressSettings,
    body_bytes_max: u64,
    peer: IpAddr,
    head: &Parts,
) -> Result<Admitted, Outcome> {
    if !settings.paths.iter().any(|path| covers(path, head.uri.path())) {
        return Err(Outcome::UnknownPath);
    }
    if head.method != Method::POST {
        return Err(Outcome::NotPost);
    }
    if !is_allowed(settings, peer, &head.headers) {
        return Err(Outcome::Forbidden);
    }
    let client = client(settings, &head.headers).ok_or(Outcome::Forbidden)?;
    if !is_json(&head.headers) {
        return Err(Outcome::UnknownMedia);
    }
    let coding = coding(&head.headers).ok_or(Outcome::UnknownMedia)?;
    let length = length(&head.headers)?;
    if length.is_some_and(|length| length > body_bytes_max) {
        return Err(Outcome::Refused(Refusal::TooLarge));
    }
    Ok(Admitted { client, coding, length })
}

/// Whether `path` is `known` or lies below it.
fn covers(known: &str, path: &str) -> bool {
    let known = known.strip_suffix('/').unwrap_or(known);
    path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_allowed(settings: &IngressSettings, peer: IpAddr, headers: &HeaderMap) -> bool {
    settings.allow_from.is_empty()
        || sender(&settings.trusted_proxies, peer, headers).is_some_and(|sender| holds(&settings.allow_from, sender))
}

/// Who sent the request: the peer, or behind trusted proxies the last address they name that is none of theirs;
/// `None` where a trusted proxy names what is no address.
fn sender(trusted: &[IpNet], peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
    if !holds(trusted, peer) {
        return Some(peer);
    }
    let mut sender = peer;
    for value in headers.get_all(FORWARDED_HEADER).into_iter().rev() {
        for part in value.to_str().ok()?.rsplit(',') {
            sender = part.trim().parse::<IpAddr>().ok()?.to_canonical();
            if !holds(trusted, sender) {
                return Some(sender);
            }
        }
    }
    Some(sender)
}

fn holds(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// The client a notification came for; `None` where the header is refused. A site with one client or none named
/// needs no header to tell them apart.
fn client(settings: &IngressSettings, headers: &HeaderMap) -> Option<ClientId> {
    if settings.client_ids.is_empty() {
        return Some(ClientId::single());
    }
    let named = single(headers, CLIENT_HEADER)?.to_str().ok()?;
    let known = settings.client_ids.iter().any(|id| id == named);
    match (known, settings.client_ids.len()) {
        (false, _) => None,
        (true, 1) => Some(ClientId::single()),
        (true, _) => Some(ClientId::new(named)),
    }
}

/// Whether the content type is absent or JSON in UTF-8.
fn is_json(headers: &HeaderMap) -> bool {
    if !headers.contains_key(CONTENT_TYPE) {
        return true;
    }
    let Some(value) = single(headers, CONTENT_TYPE.as_str()).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let ends = media.len().checked_sub("+json".len()).and_then(|place| media.get(place..));
    let is_json = media.eq_ignore_ascii_case("application/json")
        || (media.contains('/') && ends.is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json")));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

fn coding(headers: &HeaderMap) -> Option<Coding> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Some(Coding::Identity);
    }
    Coding::parse(single(headers, CONTENT_ENCODING.as_str())?.to_str().ok()?)
}

fn length(headers: &HeaderMap) -> Result<Option<u64>, Outcome> {
    let chunked = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if headers.get_all(TRANSFER_ENCODING).iter().any(|value| !chunked(value)) {
        return Err(Outcome::BadFraming);
    }
    if !headers.contains_key(CONTENT_LENGTH) {
        return Ok(None);
    }
    single(headers, CONTENT_LENGTH.as_str())
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Some)
        .ok_or(Outcome::BadFraming)
}

/// The value of a header that may come once.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    fn settings() -> IngressSettings {
        IngressSettings::default()
    }

    fn decide(
        settings: &IngressSettings,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Admitted, Outcome> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        admit(settings, 1000, PEER, &head)
    }

    fn outcome(settings: &IngressSettings, headers: &[(&str, &str)]) -> Option<Outcome> {
        decide(settings, "POST", "/garmin", headers).err()
    }

    #[test]
    fn path_is_matched_on_segment_boundaries() {
        for path in ["/garmin", "/garmin/", "/garmin/a/b", "/garmin?x=y"] {
            assert!(decide(&settings(), "POST", path, &[]).is_ok(), "{path}");
        }
        for path in ["/", "/garminx", "/Garmin", "/x/garmin", "/garmi"] {
            for method in ["GET", "POST", "HEAD", "OPTIONS"] {
                assert_eq!(decide(&settings(), method, path, &[]), Err(Outcome::UnknownPath), "{method} {path}");
            }
        }
    }

    #[test]
    fn network_is_that_of_the_peer_unless_a_trusted_proxy_names_another() {
        let mut settings = settings();
        settings.allow_from = vec!["192.0.2.0/24".parse().expect("a network")];
        let forwarded = [("x-forwarded-for", "203.0.113.9, 192.0.2.1")];
        assert_eq!(outcome(&settings, &forwarded), Some(Outcome::Forbidden));
        settings.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        assert_eq!(outcome(&settings, &forwarded), None);
        assert_eq!(outcome(&settings, &[("x-forwarded-for", "192.0.2.1, 203.0.113.9")]), Some(Outcome::Forbidden));
        assert_eq!(outcome(&settings, &[("x-forwarded-for", "192.0.2.1, 10.9.9.9")]), None);
        assert_eq!(outcome(&settings, &[("x-forwarded-for", "192.0.2.1, nonsense")]), Some(Outcome::Forbidden));
        assert_eq!(outcome(&settings, &[]), Some(Outcome::Forbidden));
    }

    #[test]
    fn client_header_is_demanded_only_where_clients_are_named() {
        let mut settings = settings();
        let admitted = decide(&settings, "POST", "/garmin", &[("garmin-client-id", "x")]).expect("admitted");
        assert_eq!(admitted.client, ClientId::single());
        settings.client_ids = vec!["one".to_owned()];
        assert_eq!(outcome(&settings, &[]), Some(Outcome::Forbidden));
        assert_eq!(outcome(&settings, &[("garmin-client-id", "two")]), Some(Outcome::Forbidden));
        let twice = [("garmin-client-id", "one"), ("garmin-client-id", "one")];
        assert_eq!(outcome(&settings, &twice), Some(Outcome::Forbidden));
        let admitted = decide(&settings, "POST", "/garmin", &[("garmin-client-id", "one")]).expect("admitted");
        assert_eq!(admitted.client, ClientId::single());
        settings.client_ids.push("two".to_owned());
        let admitted = decide(&settings, "POST", "/garmin", &[("garmin-client-id", "two")]).expect("admitted");
        assert_eq!(admitted.client, ClientId::new("two"));
    }

    #[test]
    fn json_is_taken_by_every_name_and_nothing_else_is() {
        for good in [
            "application/json",
            "application/json;charset=UTF-8",
            "application/problem+json",
            "Application/JSON; charset=\"utf-8\"",
        ] {
            assert_eq!(outcome(&settings(), &[("content-type", good)]), None, "{good}");
        }
        for bad in ["text/plain", "application/json; charset=latin1", "application/jsonx", "+json", ""] {
            assert_eq!(outcome(&settings(), &[("content-type", bad)]), Some(Outcome::UnknownMedia), "{bad}");
        }
    }

    #[test]
    fn length_beyond_the_limit_is_refused_by_its_announcement() {
        assert_eq!(outcome(&settings(), &[("content-length", "1001")]), Some(Outcome::Refused(Refusal::TooLarge)));
        assert_eq!(outcome(&settings(), &[("content-length", "1000")]), None);
        assert_eq!(outcome(&settings(), &[("transfer-encoding", "gzip, chunked")]), Some(Outcome::BadFraming));
    }
}
