//! What a callback's answer may do: come whole, or be a fault; what the request shows of the gateway; the proxy.

mod upstream_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use studygate::model::time::UnixSeconds;
use studygate::upstream::fault::Fault;
use studygate::upstream::reach::{Unreached, reach};
use studygate::upstream::refusal::Refused;
use studygate::upstream::{Error, Settings, Timeouts, Upstream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use upstream_support::{
    HOST, Names, Server, TOKEN, Then, URL, answer, body, client_of, fetch, read_head, rules, settings,
};

/// Fetches from a server that gives this answer.
async fn fetch_from(bytes: &[u8], then: Then) -> Result<Vec<u8>, Fault> {
    let bytes = bytes.to_vec();
    let server = Server::start(HOST, move |_| (bytes.clone(), then));
    let mut answer = fetch(&client_of(&server), &rules(&[HOST], true), URL).await?;
    body(&mut answer).await
}

#[tokio::test]
async fn request_target_is_the_url_byte_for_byte() {
    let server = Server::start(HOST, |_| (answer("200 OK", "", "[]"), Then::Serve));
    let (upstream, rules) = (client_of(&server), rules(&[HOST], true));
    let targets = [
        "/wellness-api/rest/dailies?uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2&token=XYZ",
        "/wellness-api/rest/activityFile?id=1&token=a%2Fb%2fc%20+d==&&?/\\|^`{}[]~!$()*,;:@%zz%",
        "/wellness-api/rest/mct?",
        "/wellness-api/rest/mct",
        "/wellness-api/rest/a.b/c..d/~e_f-g?x=../../y//z",
    ];
    for target in targets {
        let mut answer = fetch(&upstream, &rules, &format!("https://{HOST}{target}")).await.expect("an answer");
        assert_eq!(body(&mut answer).await, Ok(b"[]".to_vec()));
    }
    let lines: Vec<String> = server.heads().iter().filter_map(|head| head.lines().next().map(str::to_owned)).collect();
    assert_eq!(lines, targets.map(|target| format!("GET {target} HTTP/1.1")));
}

#[tokio::test]
async fn request_carries_nothing_beyond_what_it_needs() {
    let headers = "Set-Cookie: id=1\r\n";
    let server = Server::start(HOST, |_| (answer("200 OK", headers, "[]"), Then::Serve));
    let (upstream, rules) = (client_of(&server), rules(&[HOST], true));
    for _ in 0..2 {
        let mut answer = fetch(&upstream, &rules, URL).await.expect("an answer");
        assert!(body(&mut answer).await.is_ok());
    }
    for head in server.heads() {
        let mut names: Vec<String> =
            head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned()).collect();
        names.sort();
        assert_eq!(names, ["accept", "host", "user-agent"], "{head}");
    }
}

#[tokio::test]
async fn whole_answers_come_through_in_every_framing() {
    let large = "0123456789abcdef".repeat(100_000);
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n";
    let to_the_end = b"HTTP/1.1 200 OK\r\n\r\n[1,2]";
    assert_eq!(fetch_from(&answer("200 OK", "", &large), Then::Serve).await, Ok(large.into_bytes()));
    assert_eq!(
        fetch_from(&answer("200 OK", "Content-Encoding: identity\r\n", "[]"), Then::Serve).await,
        Ok(b"[]".to_vec())
    );
    assert_eq!(fetch_from(chunked, Then::Serve).await, Ok(b"[1,2]".to_vec()));
    assert_eq!(fetch_from(to_the_end, Then::Close).await, Ok(b"[1,2]".to_vec()));
    assert_eq!(fetch_from(&answer("200 OK", "", ""), Then::Serve).await, Ok(Vec::new()));
}

#[tokio::test]
async fn answer_that_ends_before_its_end_is_broken() {
    let answers: &[&[u8]] = &[
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\n[1,2]\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n[1,2]",
        b"SSH-2.0-other\r\n",
    ];
    for bytes in answers {
        for then in [Then::Close, Then::Cut] {
            assert_eq!(fetch_from(bytes, then).await, Err(Fault::Broken), "{}", String::from_utf8_lossy(bytes));
        }
    }
    // Without a length, only TLS can say that the end was meant.
    assert_eq!(fetch_from(b"HTTP/1.1 200 OK\r\n\r\n[1,2]", Then::Cut).await, Err(Fault::Broken));
}

#[tokio::test]
async fn bytes_beyond_the_announced_length_are_neither_body_nor_the_next_answer() {
    let mut smuggling = answer("200 OK", "", "[1,2]");
    smuggling.extend(answer("200 OK", "", "[\"smuggled\"]"));
    let server = Server::start(HOST, move |target| match target.contains("second") {
        false => (smuggling.clone(), Then::Serve),
        true => (answer("200 OK", "", "[2]"), Then::Serve),
    });
    let (upstream, rules) = (client_of(&server), rules(&[HOST], true));
    let mut first = fetch(&upstream, &rules, URL).await.expect("an answer");
    assert_eq!(first.length(), Some(5));
    assert_eq!(body(&mut first).await, Ok(b"[1,2]".to_vec()));
    let mut second = fetch(&upstream, &rules, &format!("{URL}&second")).await.expect("an answer");
    assert_eq!(body(&mut second).await, Ok(b"[2]".to_vec()));
}

#[tokio::test]
async fn answer_that_stalls_times_out() {
    let stalling: &[&[u8]] = &[b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2"];
    for bytes in stalling {
        let server = Server::start(HOST, move |_| (bytes.to_vec(), Then::Hang));
        let short = Duration::from_millis(300);
        let timeouts = Timeouts { connect: Duration::from_secs(20), head: Duration::from_secs(2), stall: short };
        let settings = Settings { timeouts, ..settings(Some(&server.certificate)) };
        let upstream = Upstream::new(settings, Names::lead_to(&[server.address])).expect("a client");
        let result = match fetch(&upstream, &rules(&[HOST], true), URL).await {
            Ok(mut answer) => body(&mut answer).await,
            Err(fault) => Err(fault),
        };
        assert_eq!(result, Err(Fault::TimedOut), "{}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn fault_of_a_body_stays_a_fault() {
    let server = Server::start(HOST, |_| (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1".to_vec(), Then::Close));
    let mut answer = fetch(&client_of(&server), &rules(&[HOST], true), URL).await.expect("a head");
    assert_eq!(body(&mut answer).await, Err(Fault::Broken));
    assert_eq!(answer.chunk().await, Err(Fault::Broken));
}

#[tokio::test]
async fn status_is_known_and_body_refused_where_it_comes_in_a_coding() {
    for coding in ["gzip", "br", "identity, gzip", "GZIP", ""] {
        let header = format!("Content-Encoding: {coding}\r\n");
        let server = Server::start(HOST, move |_| (answer("410 Gone", &header, "?"), Then::Serve));
        let mut gone = fetch(&client_of(&server), &rules(&[HOST], true), URL).await.expect("an answer");
        assert_eq!(gone.status(), 410);
        assert_eq!(body(&mut gone).await, Err(Fault::Coded), "{coding}");
    }
    let between = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n";
    assert_eq!(fetch_from(between, Then::Serve).await, Err(Fault::Coded));
}

#[tokio::test]
async fn wait_that_the_server_asks_for_is_known() {
    const NOW: UnixSeconds = UnixSeconds(1_793_509_200);
    for (value, expected) in [("7", Some(7)), ("Sun, 01 Nov 2026 05:00:30 GMT", Some(30)), ("soon", None)] {
        let header = format!("Retry-After: {value}\r\n");
        let server = Server::start(HOST, move |_| (answer("429 Too Many Requests", &header, ""), Then::Serve));
        let busy = fetch(&client_of(&server), &rules(&[HOST], true), URL).await.expect("an answer");
        assert_eq!((busy.status(), busy.retry_after(NOW)), (429, expected.map(Duration::from_secs)));
    }
}

#[tokio::test]
async fn request_is_never_repeated_by_itself() {
    // The second request goes over the connection of the first, which breaks under it.
    let server = Server::start(HOST, |target| match target.contains("second") {
        false => (answer("200 OK", "", "[]"), Then::Serve),
        true => (Vec::new(), Then::Close),
    });
    let names = Names::lead_to(&[server.address]);
    let upstream = Upstream::new(settings(Some(&server.certificate)), names.clone()).expect("a client");
    let rules = rules(&[HOST], true);
    let mut first = fetch(&upstream, &rules, URL).await.expect("an answer");
    assert!(body(&mut first).await.is_ok());
    let second = fetch(&upstream, &rules, &format!("{URL}&second")).await.map(|answer| answer.status());
    assert_eq!(second, Err(Fault::Broken));
    assert_eq!(server.heads().len(), 2);
    // One connection, one look-up: there is no second one in which the answer could differ.
    assert_eq!(names.asked(), 1);
}

#[tokio::test]
async fn host_that_is_not_there_is_unreachable() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    for addresses in [&[nobody][..], &[]] {
        let upstream = Upstream::new(settings(None), Names::lead_to(addresses)).expect("a client");
        let result = fetch(&upstream, &rules(&[HOST], true), URL).await.map(|answer| answer.status());
        assert_eq!(result, Err(Fault::Unreachable), "{addresses:?}");
    }
}

#[tokio::test]
async fn server_that_speaks_no_tls_is_a_fault_of_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let written = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let read = socket.read(&mut [0; 4096]).await;
            assert!(written.is_ok() && read.is_ok());
        }
    });
    let upstream = Upstream::new(settings(None), Names::lead_to(&[address])).expect("a client");
    let result = fetch(&upstream, &rules(&[HOST], true), URL).await.map(|answer| answer.status());
    assert_eq!(result, Err(Fault::Tls));
}

/// A proxy on loopback that makes tunnels to one server, or answers with a refusal, and keeps what clients send it.
async fn proxy(target: Option<std::net::SocketAddr>) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let head = read_head(&mut client).await.expect("a head");
                kept.lock().expect("no panic before").extend_from_slice(head.as_bytes());
                let Some(target) = target else {
                    client.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.expect("written");
                    return;
                };
                let server = TcpStream::connect(target).await.expect("a server");
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.expect("written");
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
                    kept.lock().expect("no panic before").extend_from_slice(&buffer[..length]);
                    if to_server.write_all(&buffer[..length]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, seen)
}

/// With a proxy at a private address, while callbacks may lead to public ones only.
fn settings_with_proxy(certificate: Option<&str>, port: u16) -> Settings {
    let proxy = Some(format!("http://proxy.site:{port}"));
    Settings { rules: rules(&[HOST], false), proxy, ..settings(certificate) }
}

#[tokio::test]
async fn proxy_learns_the_hosts_name_and_no_more() {
    let server = Server::start(HOST, |_| (answer("200 OK", "", "[1]"), Then::Serve));
    let (port, seen) = proxy(Some(server.address)).await;
    let names = Names::lead_to(&["127.0.0.1:0".parse().expect("an address")]);
    let settings = settings_with_proxy(Some(&server.certificate), port);
    let upstream = Upstream::new(settings.clone(), names.clone()).expect("a client");
    let mut answer = fetch(&upstream, &settings.rules, URL).await.expect("an answer");
    assert_eq!(body(&mut answer).await, Ok(b"[1]".to_vec()));
    let seen = seen.lock().expect("no panic before").clone();
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.starts_with(&format!("CONNECT {HOST}:443 HTTP/1.1\r\n")), "{seen}");
    assert!(!seen.contains(TOKEN) && !seen.contains("wellness"));
    assert_eq!(names.names(), ["proxy.site"]);
    assert!(server.heads()[0].starts_with("GET /wellness-api/rest/dailies?token="));
}

#[tokio::test]
async fn server_behind_a_proxy_must_prove_its_name_all_the_same() {
    let server = Server::start(HOST, |_| (answer("200 OK", "", "[1]"), Then::Serve));
    let (port, _) = proxy(Some(server.address)).await;
    let settings = settings_with_proxy(None, port);
    let names = Names::lead_to(&["127.0.0.1:0".parse().expect("an address")]);
    let upstream = Upstream::new(settings.clone(), names).expect("a client");
    let result = fetch(&upstream, &settings.rules, URL).await.map(|answer| answer.status());
    assert_eq!(result, Err(Fault::Tls));
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn proxy_that_refuses_leaves_the_host_unreachable() {
    let (port, _) = proxy(None).await;
    let settings = settings_with_proxy(None, port);
    let names = Names::lead_to(&["127.0.0.1:0".parse().expect("an address")]);
    let upstream = Upstream::new(settings.clone(), names).expect("a client");
    let result = fetch(&upstream, &settings.rules, URL).await.map(|answer| answer.status());
    assert_eq!(result, Err(Fault::Unreachable));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let fault_of = |settings| Upstream::new(settings, Names::lead_to(&[])).map(|_| ());
    let with_ca = |pem: &str| Settings { ca: Some(pem.as_bytes().to_vec()), ..settings(None) };
    let with_proxy = |proxy: &str| Settings { proxy: Some(proxy.to_owned()), ..settings(None) };
    let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(fault_of(with_ca("")), Err(Error::NoCertificate));
    assert_eq!(fault_of(with_ca("no PEM at all")), Err(Error::NoCertificate));
    assert_eq!(fault_of(with_ca(rubbish)), Err(Error::NoCertificate));
    assert_eq!(fault_of(with_proxy("https://proxy.site:3128")), Err(Error::BadProxy));
    assert_eq!(fault_of(with_proxy("http://user:secret@proxy.site:3128")), Err(Error::BadProxy));
    assert_eq!(fault_of(with_proxy(&format!("http://{HOST}:3128"))), Err(Error::ProxyIsHost));
    assert_eq!(fault_of(with_proxy("http://proxy.site:3128")), Ok(()));
}

#[tokio::test]
async fn nothing_that_can_be_printed_shows_the_token() {
    let header = format!("Location: {URL}\r\n");
    let server = Server::start(HOST, move |_| (answer("302 Found", &header, TOKEN), Then::Serve));
    let settings = settings(Some(&server.certificate));
    let upstream = Upstream::new(settings.clone(), Names::lead_to(&[server.address])).expect("a client");
    let callback = settings.rules.vet(URL).expect("a good URL");
    let moved = upstream.get(&callback).await.expect("an answer");
    let mut printed =
        format!("{settings:?} {upstream:?} {callback:?} {moved:?} {} {}", callback.host(), callback.path());
    for refused in Refused::ALL {
        printed += &format!("{refused:?} {refused} {} {}", refused.name(), Fault::Refused(refused));
    }
    for fault in [Fault::Unreachable, Fault::Tls, Fault::TimedOut, Fault::Broken, Fault::Coded] {
        printed += &format!("{fault:?} {fault} {}", fault.name());
    }
    assert!(!printed.contains(TOKEN) && !printed.contains("token"), "{printed}");
    assert!(printed.contains(HOST) && printed.contains("/wellness-api/rest/dailies"));
}

/// Tries the way to [`HOST`] on this port, which every name server says is on this machine.
async fn reached(settings: &Settings, port: u16) -> Result<(), Unreached> {
    let names = Names::lead_to(&["127.0.0.1:0".parse().expect("an address")]);
    reach(settings, names, &format!("{HOST}:{port}")).await
}

#[tokio::test]
async fn way_to_a_host_ends_behind_the_handshake_and_asks_nothing() {
    let server = Server::start(HOST, |_| (answer("200 OK", "", "[1]"), Then::Serve));
    let trusting = settings(Some(&server.certificate));
    assert_eq!(reached(&trusting, server.address.port()).await, Ok(()));
    assert_eq!(reached(&settings(None), server.address.port()).await, Err(Unreached::NotTrusted));
    assert!(server.heads().is_empty(), "no request was sent");
}

#[tokio::test]
async fn what_is_wrong_with_the_way_to_a_host_is_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = nobody.local_addr().expect("bound").port();
    let silent = tokio::spawn(async move {
        let (mut stream, _) = nobody.accept().await.expect("somebody comes");
        stream.write_all(b"HTTP/1.1 400 no TLS here\r\n\r\n").await.expect("written");
        nobody
    });
    assert_eq!(reached(&settings(None), port).await, Err(Unreached::NoTls));
    drop(silent.await.expect("it answered"));
    assert_eq!(reached(&settings(None), port).await, Err(Unreached::NoConnection));
    let public = Settings { rules: rules(&[HOST], false), ..settings(None) };
    assert_eq!(reached(&public, port).await, Err(Unreached::NotPublic));
    let nowhere = Names::lead_to(&[]);
    assert_eq!(reach(&public, nowhere.clone(), HOST).await, Err(Unreached::NoName));
    assert_eq!(reach(&settings_with_proxy(None, port), nowhere, HOST).await, Err(Unreached::NoProxyName));
    assert_eq!(reached(&settings_with_proxy(None, port), port).await, Err(Unreached::NoProxy));
}

#[tokio::test]
async fn way_through_a_proxy_is_tried_to_its_end() {
    let server = Server::start(HOST, |_| (answer("200 OK", "", "[1]"), Then::Serve));
    let (port, seen) = proxy(Some(server.address)).await;
    assert_eq!(reached(&settings_with_proxy(Some(&server.certificate), port), 443).await, Ok(()));
    let seen = String::from_utf8_lossy(&seen.lock().expect("no panic before")).into_owned();
    assert!(seen.starts_with(&format!("CONNECT {HOST}:443 HTTP/1.1\r\n")), "{seen}");
    let (port, _) = proxy(None).await;
    let refused = reached(&settings_with_proxy(None, port), 443).await;
    assert!(matches!(refused, Err(Unreached::ProxyRefuses(_))), "{refused:?}");
}
