//! Forged callbacks: no URL, name, redirect or certificate leads the gateway anywhere but to the hosts of its list.

mod upstream_support;

use std::net::SocketAddr;
use std::time::Duration;

use studygate::upstream::fault::Fault;
use studygate::upstream::refusal::Refused;
use studygate::upstream::{Settings, Timeouts, Upstream};
use upstream_support::{Canary, HOST, Names, Server, Then, URL, answer, body, client_of, fetch, rules, settings};

const PATH: &str = "/wellness-api/rest/dailies?token=SECRET-8f14e45f";

/// What stands before the path, and why it is refused; PORT is the canary's.
const AUTHORITIES: &[(&str, Refused)] = &[
    // Loopback in every notation.
    ("https://127.0.0.1", Refused::Literal),
    ("https://127.0.0.1:PORT", Refused::Literal),
    ("https://127.1:PORT", Refused::Literal),
    ("https://127.0.1:PORT", Refused::Literal),
    ("https://127.0.0.1.:PORT", Refused::Literal),
    ("https://2130706433:PORT", Refused::Literal),
    ("https://017700000001:PORT", Refused::Literal),
    ("https://0177.0.0.1:PORT", Refused::Literal),
    ("https://0177.0.0.01:PORT", Refused::Literal),
    ("https://0x7f000001:PORT", Refused::Literal),
    ("https://0x7F.0.0.1:PORT", Refused::Literal),
    ("https://0x7f.1:PORT", Refused::Literal),
    ("https://0.0.0.0:PORT", Refused::Literal),
    ("https://0:PORT", Refused::Literal),
    ("https://%31%32%37.0.0.1:PORT", Refused::Literal),
    ("https://[::1]:PORT", Refused::Literal),
    ("https://[0:0:0:0:0:0:0:1]:PORT", Refused::Literal),
    ("https://[::]:PORT", Refused::Literal),
    ("https://[::ffff:127.0.0.1]:PORT", Refused::Literal),
    ("https://[::ffff:7f00:1]:PORT", Refused::Literal),
    ("https://[::127.0.0.1]:PORT", Refused::Literal),
    ("https://[64:ff9b::127.0.0.1]:PORT", Refused::Literal),
    ("https://[64:ff9b::7f00:1]:PORT", Refused::Literal),
    ("https://[2002:7f00:1::]:PORT", Refused::Literal),
    ("https://[fe80::1%25lo]:PORT", Refused::NotAUrl),
    ("https://127.0.0.256:PORT", Refused::NotAUrl),
    // Other addresses of a site's network, and public ones.
    ("https://169.254.169.254", Refused::Literal),
    ("https://10.0.0.1", Refused::Literal),
    ("https://[fd00::1]", Refused::Literal),
    ("https://1.1.1.1", Refused::Literal),
    // Names that look like the host, or hold it.
    ("https://evil.example", Refused::Host),
    ("https://localhost:PORT", Refused::Host),
    ("https://apis.garmin.com.evil.example", Refused::Host),
    ("https://apis.garmin.com.127.0.0.1.evil.example:PORT", Refused::Host),
    ("https://evil-apis.garmin.com", Refused::Host),
    ("https://evilapis.garmin.com", Refused::Host),
    ("https://x.apis.garmin.com", Refused::Host),
    ("https://garmin.com", Refused::Host),
    ("https://apis.garmin.co", Refused::Host),
    ("https://apis.garmin.comm", Refused::Host),
    ("https://apis.garmin.com.", Refused::Host),
    ("https://apis.garmin.com..", Refused::Host),
    ("https://apis-garmin.com", Refused::Host),
    ("https://xn--apis-garmin-3ja.com", Refused::NotAUrl),
    ("https://xn--pis-7ka.garmin.com", Refused::Host),
    // Names that only a forgiving parser takes for the host.
    ("https://\u{430}pis.garmin.com", Refused::Characters),
    ("https://apis\u{3002}garmin\u{ff0e}com", Refused::Characters),
    ("https://\u{ff41}pis.garmin.com", Refused::Characters),
    ("https://apis\u{ad}.garmin.com", Refused::Characters),
    ("https://apis.garmin.com\u{2215}x", Refused::Characters),
    ("https://%61pis.garmin.com", Refused::Spelling),
    ("https://apis%2egarmin.com", Refused::Spelling),
    ("https://apis.garmin.com%00.evil.example", Refused::NotAUrl),
    ("https://apis.garmin.com%2f@127.0.0.1:PORT", Refused::UserInfo),
    ("https://ap\tis.garmin.com", Refused::Characters),
    ("https://apis.gar\nmin.com", Refused::Characters),
    (" https://apis.garmin.com", Refused::Characters),
    ("\u{0}https://apis.garmin.com", Refused::Characters),
    // User names, ports, schemes.
    ("https://apis.garmin.com@127.0.0.1:PORT", Refused::UserInfo),
    ("https://apis.garmin.com:x@evil.example", Refused::UserInfo),
    ("https://apis.garmin.com:443@127.0.0.1:PORT", Refused::UserInfo),
    ("https://user@apis.garmin.com", Refused::UserInfo),
    ("https://:secret@apis.garmin.com", Refused::UserInfo),
    ("https://@apis.garmin.com", Refused::Spelling),
    ("https://apis.garmin.com:PORT", Refused::Port),
    ("https://apis.garmin.com:80", Refused::Port),
    ("https://apis.garmin.com:0", Refused::Port),
    ("https://apis.garmin.com:", Refused::Spelling),
    ("https://apis.garmin.com:0443", Refused::Spelling),
    ("https://apis.garmin.com:99999", Refused::NotAUrl),
    ("http://apis.garmin.com", Refused::NotHttps),
    ("http://apis.garmin.com:443", Refused::NotHttps),
    ("http://127.0.0.1:PORT", Refused::NotHttps),
    ("ftp://apis.garmin.com", Refused::NotHttps),
    ("file://apis.garmin.com", Refused::NotHttps),
    ("ws://apis.garmin.com", Refused::NotHttps),
    ("blob:https://apis.garmin.com", Refused::NotHttps),
    ("view-source:https://apis.garmin.com", Refused::NotHttps),
    ("//apis.garmin.com", Refused::NotAUrl),
    ("apis.garmin.com", Refused::NotAUrl),
    ("", Refused::NotAUrl),
    ("https://", Refused::Host),
    ("https:///", Refused::Host),
    ("https:apis.garmin.com", Refused::Spelling),
    ("https:/apis.garmin.com", Refused::Spelling),
    ("https:///apis.garmin.com", Refused::Spelling),
    ("https:\\\\apis.garmin.com", Refused::Spelling),
    // Slashes that lean the other way.
    ("https://apis.garmin.com\\@127.0.0.1:PORT", Refused::Path),
    ("https://127.0.0.1:PORT\\@apis.garmin.com", Refused::Literal),
    ("https://evil.example\\.apis.garmin.com", Refused::Host),
    ("https://127.0.0.1:PORT#@apis.garmin.com", Refused::Fragment),
    ("https://127.0.0.1:PORT?@apis.garmin.com", Refused::Literal),
];

/// What follows the host, and why it is refused.
const TARGETS: &[(&str, Refused)] = &[
    ("", Refused::Path),
    ("/", Refused::Path),
    ("?token=x", Refused::Path),
    ("/wellness-api", Refused::Path),
    ("/wellness-api/rest", Refused::Path),
    ("/wellness-api/rest/", Refused::Path),
    ("/wellness-api/rest/?token=x", Refused::Path),
    ("/wellness-api/restdailies", Refused::Path),
    ("/Wellness-API/rest/dailies", Refused::Path),
    ("/other/wellness-api/rest/dailies", Refused::Path),
    ("//wellness-api/rest/dailies", Refused::Path),
    ("/wellness-api//rest/dailies", Refused::Path),
    ("/wellness-api/rest//dailies", Refused::Path),
    ("/wellness-api/rest/dailies/", Refused::Path),
    ("/wellness-api/rest/dailies//x", Refused::Path),
    ("/wellness-api/rest/../../admin", Refused::Path),
    ("/wellness-api/rest/..", Refused::Path),
    ("/wellness-api/rest/.", Refused::Path),
    ("/wellness-api/rest/%2e%2e/%2E./admin", Refused::Path),
    ("/wellness-api/rest/..%2f..%2fadmin", Refused::Path),
    ("/wellness-api/rest/..%5c..%5cadmin", Refused::Path),
    ("/wellness-api/rest/%252e%252e/admin", Refused::Path),
    ("/wellness-api/rest/..;/admin", Refused::Path),
    ("/wellness-api/rest/;x/dailies", Refused::Path),
    ("/wellness-api/rest/\\..\\..\\admin", Refused::Path),
    ("/wellness-api/rest/dailies%00", Refused::Path),
    ("/wellness-api/rest/dailies%0d%0aHost:x", Refused::Path),
    ("/wellness-api/rest/dailies/../epochs", Refused::Spelling),
    ("/wellness-api/rest/./dailies", Refused::Spelling),
    ("/x/../wellness-api/rest/dailies", Refused::Spelling),
    ("\\wellness-api\\rest\\dailies", Refused::Spelling),
    ("/wellness-api/rest/dailies\r\nHost: evil.example", Refused::Characters),
    ("/wellness-api/rest/dailies HTTP/1.1", Refused::Characters),
    ("/wellness-api/rest/dailies?token=x y", Refused::Characters),
    ("/wellness-api/rest/dailies?token=\u{e9}", Refused::Characters),
    ("/wellness-api/rest/dailies?token=x#", Refused::Fragment),
    ("/wellness-api/rest/dailies?token=x#fragment", Refused::Fragment),
];

/// A client for which every name leads to the canary, so that whatever passes the rules would be seen.
fn towards(canary: &Canary) -> (Settings, Upstream) {
    // The canary says nothing: the time for connecting ends first, however busy the machine.
    let timeouts =
        Timeouts { connect: Duration::from_secs(1), head: Duration::from_secs(60), stall: Duration::from_secs(60) };
    let settings = Settings { timeouts, ..settings(None) };
    let upstream = Upstream::new(settings.clone(), Names::lead_to(&[canary.address])).expect("a client");
    (settings, upstream)
}

#[tokio::test]
async fn hostile_urls_are_refused_each_for_its_reason_and_reach_nobody() {
    let canary = Canary::set();
    let (settings, upstream) = towards(&canary);
    let port = canary.address.port().to_string();
    let authorities = AUTHORITIES.iter().map(|(start, refused)| (format!("{start}{PATH}"), *refused));
    let targets = TARGETS.iter().map(|(target, refused)| (format!("https://{HOST}{target}"), *refused));
    let mut wrong = Vec::new();
    for (url, refused) in authorities.chain(targets) {
        let url = url.replace("PORT", &port);
        let result = fetch(&upstream, &settings.rules, &url).await.map(|answer| answer.status());
        if result != Err(Fault::Refused(refused)) {
            wrong.push(format!("{url:?}: {result:?}, not {refused:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn good_url_would_have_woken_the_canary() {
    let canary = Canary::set();
    let (settings, upstream) = towards(&canary);
    let result = fetch(&upstream, &settings.rules, URL).await.map(|answer| answer.status());
    assert_eq!(result, Err(Fault::Unreachable));
    assert_eq!(canary.connections(), 1);
}

#[tokio::test]
async fn names_that_lead_to_other_than_public_addresses_reach_nobody() {
    let canary = Canary::set();
    let port = canary.address.port();
    let at = |address: &str| SocketAddr::new(address.parse().expect("an address"), port);
    let answers: &[&[&str]] = &[
        &["127.0.0.1"],
        &["0.0.0.0"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        // One that counts as public beside one that does not; nobody has it, so that this test stays at home even when
        // it fails.
        &["3000::1", "127.0.0.1"],
        &["127.0.0.1", "3000::1"],
        &["3000::1", "3000::2", "::ffff:127.0.0.1"],
    ];
    for addresses in answers {
        let names = Names::lead_to(&addresses.iter().map(|address| at(address)).collect::<Vec<_>>());
        let rules = rules(&[HOST], false);
        let settings = Settings { rules: rules.clone(), ..settings(None) };
        let upstream = Upstream::new(settings, names.clone()).expect("a client");
        let result = fetch(&upstream, &rules, URL).await.map(|answer| answer.status());
        assert_eq!(result, Err(Fault::Refused(Refused::Address)), "{addresses:?}");
        assert_eq!(names.asked(), 1);
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn redirects_are_answers_and_are_not_followed() {
    let canary = Canary::set();
    let port = canary.address.port();
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        for location in [
            format!("https://127.0.0.1:{port}/wellness-api/rest/dailies"),
            format!("http://127.0.0.1:{port}/"),
            format!("//127.0.0.1:{port}/"),
            "/wellness-api/rest/epochs".to_owned(),
        ] {
            let header = format!("Location: {location}\r\nRefresh: 0; url={location}\r\n");
            let server = Server::start(HOST, move |_| (answer(status, &header, "moved"), Then::Serve));
            let mut moved = fetch(&client_of(&server), &rules(&[HOST], true), URL).await.expect("an answer");
            assert_eq!(moved.status().to_string(), status[..3]);
            assert_eq!(body(&mut moved).await, Ok(b"moved".to_vec()));
            assert_eq!(server.heads().len(), 1);
        }
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn server_that_does_not_prove_its_name_gets_no_request() {
    let server = Server::start(HOST, |_| (answer("200 OK", "", "[]"), Then::Serve));
    let other = Server::start("other.example", |_| (answer("200 OK", "", "[]"), Then::Serve));
    // The certificate of nobody known, one for another name, and one that is trusted while the server has another.
    for (address, certificate) in
        [(server.address, None), (other.address, Some(&other.certificate)), (server.address, Some(&other.certificate))]
    {
        let settings = settings(certificate.map(String::as_str));
        let upstream = Upstream::new(settings.clone(), Names::lead_to(&[address])).expect("a client");
        let result = fetch(&upstream, &settings.rules, URL).await.map(|answer| answer.status());
        assert_eq!(result, Err(Fault::Tls));
    }
    assert!(server.heads().is_empty() && other.heads().is_empty());
}

#[tokio::test]
async fn every_authority_of_the_sites_own_file_is_trusted() {
    let first = Server::start(HOST, |_| (answer("200 OK", "", "[1]"), Then::Serve));
    let second = Server::start(HOST, |_| (answer("200 OK", "", "[2]"), Then::Serve));
    let both = format!("{}{}", first.certificate, second.certificate);
    for (server, expected) in [(&first, b"[1]"), (&second, b"[2]")] {
        let upstream = Upstream::new(settings(Some(&both)), Names::lead_to(&[server.address])).expect("a client");
        let mut answer = fetch(&upstream, &rules(&[HOST], true), URL).await.expect("an answer");
        assert_eq!(body(&mut answer).await, Ok(expected.to_vec()));
    }
}

/// The machine's own verifier would need a crypto library that was made the process's default.
#[tokio::test]
async fn neither_a_default_crypto_library_nor_the_machines_verifier_is_needed() {
    let server = Server::start(HOST, |_| (answer("200 OK", "", "[]"), Then::Serve));
    assert!(fetch(&client_of(&server), &rules(&[HOST], true), URL).await.is_ok());
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}
