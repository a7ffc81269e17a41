//! An authority of the outside world: the part of RFC 8555 that the gateway uses, over TLS on loopback, which really
//! connects to prove a name (RFC 8737), and fails as a test says.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod tls;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, IsCa, Issuer, KeyPair};
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use serde_json::{Value, json};
use studygate::clock::Clock;
use studygate::model::time::UnixSeconds;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A clock that tests move; it begins at the machine's time, by which the authority's own TLS is judged.
pub(crate) struct ManualClock {
    now: AtomicI64,
    /// Since when it goes on by itself, by the machine's clock.
    goes_on_since: Option<UnixSeconds>,
}

impl ManualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { now: AtomicI64::new(studygate::clock::SystemClock.now().0), goes_on_since: None })
    }

    /// One that also goes on by itself.
    pub(crate) fn going_on() -> Arc<Self> {
        let now = studygate::clock::SystemClock.now();
        Arc::new(Self { now: AtomicI64::new(now.0), goes_on_since: Some(now) })
    }

    /// Moves it ahead.
    pub(crate) fn skip(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn set(&self, now: UnixSeconds) {
        self.now.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixSeconds {
        let went = self.goes_on_since.map_or(0, |since| studygate::clock::SystemClock.now().0 - since.0);
        UnixSeconds(self.now.load(Ordering::SeqCst) + went)
    }
}

/// How the authority fails at a resource, once.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It does not take the nonce.
    BadNonce,
    /// It answers this status, perhaps with `Retry-After`.
    Status(u16, Option<&'static str>),
    /// It answers this problem.
    Problem(u16, &'static str),
    /// The connection ends instead of an answer, before anything is done.
    Cut,
    /// The connection ends instead of an answer, though all is done.
    CutAfterwards,
    /// It issues for another key.
    WrongKey,
    /// It issues for another name.
    WrongName,
}

/// An order.
struct Order {
    domains: Vec<String>,
    status: &'static str,
    chain: Option<String>,
}

/// A name that is to be proved.
struct Proof {
    order: usize,
    domain: String,
    token: String,
    status: &'static str,
    error: Option<&'static str>,
}

#[derive(Default)]
struct Books {
    nonces: HashSet<String>,
    count: u64,
    /// The key's point and its thumbprint.
    accounts: Vec<(Vec<u8>, String)>,
    orders: Vec<Order>,
    proofs: Vec<Proof>,
    requests: HashMap<String, u64>,
    faults: Vec<(&'static str, Fault)>,
    /// After so many more requests it answers nothing.
    lives: Option<u64>,
}

struct Inner {
    base: String,
    issuer: Issuer<'static, KeyPair>,
    intermediate: String,
    clock: Arc<ManualClock>,
    gateway: watch::Sender<Option<SocketAddr>>,
    life_days: i64,
    books: Mutex<Books>,
}

/// The authority, running.
#[derive(Clone)]
pub(crate) struct Authority {
    /// Its directory.
    pub(crate) directory: String,
    /// What proves who it is, PEM.
    pub(crate) own: String,
    /// The root of what it issues.
    pub(crate) root: CertificateDer<'static>,
    inner: Arc<Inner>,
}

impl Authority {
    /// One whose certificates live for so many days.
    pub(crate) async fn start(clock: Arc<ManualClock>, life_days: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
        let now = studygate::clock::SystemClock.now();
        let own = studygate::tls::generate::self_signed(&["localhost".to_owned()], now, 3000).expect("made");
        let acceptor = tls::acceptor(&own);
        let (root, intermediate, issuer) = hierarchy();
        let inner = Arc::new(Inner {
            base,
            issuer,
            intermediate,
            clock,
            gateway: watch::Sender::new(None),
            life_days,
            books: Mutex::default(),
        });
        let serving = Arc::clone(&inner);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, inner) = (acceptor.clone(), Arc::clone(&serving));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    let service = service_fn(move |request| answer(Arc::clone(&inner), request));
                    let served = hyper::server::conn::http1::Builder::new();
                    // An answer that is withheld ends the connection, as it is meant to.
                    if served.serve_connection(TokioIo::new(stream), service).await.is_err() {}
                });
            }
        });
        let directory = format!("{}/directory", inner.base);
        Self { directory, own: own.certificate.clone(), root, inner }
    }

    /// Every name leads here from now on.
    pub(crate) fn resolve_to(&self, gateway: SocketAddr) {
        self.inner.gateway.send_replace(Some(gateway));
    }

    /// The next request for this resource fails so.
    pub(crate) fn fail(&self, resource: &'static str, fault: Fault) {
        self.books(|books| books.faults.push((resource, fault)));
    }

    /// It dies after so many more requests, or lives on.
    pub(crate) fn die_after(&self, requests: Option<u64>) {
        self.books(|books| books.lives = requests);
    }

    /// How many requests there were for a resource, or for all.
    pub(crate) fn requests(&self, resource: &str) -> u64 {
        self.books(|books| match resource {
            "" => books.requests.values().sum(),
            one => books.requests.get(one).copied().unwrap_or(0),
        })
    }

    pub(crate) fn accounts(&self) -> usize {
        self.books(|books| books.accounts.len())
    }

    pub(crate) fn orders(&self) -> usize {
        self.books(|books| books.orders.len())
    }

    fn books<R>(&self, read: impl FnOnce(&mut Books) -> R) -> R {
        self.inner.books(read)
    }
}

/// A root, an intermediate as PEM, and who signs with it.
fn hierarchy() -> (CertificateDer<'static>, String, Issuer<'static, KeyPair>) {
    let params = |name: &str| {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2060, 1, 1));
        params
    };
    let (root_key, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let root = params("a root").self_signed(&root_key).expect("signed").der().clone();
    let root_issuer = Issuer::new(params("a root"), root_key);
    let intermediate = params("an intermediate").signed_by(&key, &root_issuer).expect("signed").pem();
    (root, intermediate, Issuer::new(params("an intermediate"), key))
}

type Answer = Result<Response<Full<Bytes>>, Withheld>;

/// No answer.
#[derive(Debug)]
struct Withheld;

impl std::fmt::Display for Withheld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no answer")
    }
}

impl std::error::Error for Withheld {}

/// What was signed, by whom.
struct Signed {
    account: Option<usize>,
    point: Vec<u8>,
    thumbprint: String,
    payload: Value,
}

async fn answer(inner: Arc<Inner>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let (resource, item) = path.split_once('/').unwrap_or((&path, ""));
    let (resource, item) = (resource.to_owned(), item.parse::<usize>().unwrap_or(0));
    let fault = inner.books(|books| {
        *books.requests.entry(resource.clone()).or_default() += 1;
        if let Some(lives) = &mut books.lives {
            *lives = lives.checked_sub(1).ok_or(Withheld)?;
        }
        let place = books.faults.iter().position(|(at, _)| *at == resource);
        Ok(place.map(|place| books.faults.remove(place).1))
    })?;
    match &fault {
        Some(Fault::Cut) => return Err(Withheld),
        Some(Fault::BadNonce) => return Ok(inner.problem(400, "badNonce", None)),
        Some(Fault::Problem(status, kind)) => return Ok(inner.problem(*status, kind, None)),
        Some(Fault::Status(429, after)) => return Ok(inner.problem(429, "rateLimited", *after)),
        Some(Fault::Status(status, after)) => return Ok(inner.plain(*status, *after)),
        _ => {}
    }
    if resource == "directory" {
        return Ok(inner.directory());
    }
    if resource == "new-nonce" {
        return Ok(inner.json(200, &json!({}), &[]));
    }
    let body = Limited::new(request.into_body(), 1 << 20);
    #[expect(clippy::disallowed_methods, reason = "the body is limited")]
    let body = body.collect().await.map_err(|_| Withheld)?.to_bytes();
    let url = format!("{}/{path}", inner.base);
    let signed = match inner.verify(&body, &url) {
        Ok(signed) => signed,
        Err(problem) => return Ok(inner.problem(400, problem, None)),
    };
    if resource == "challenge" {
        inner.prove(item, &signed.thumbprint).await;
    }
    let answered = inner.resource(&resource, item, &signed, fault.as_ref());
    if matches!(fault, Some(Fault::CutAfterwards)) { Err(Withheld) } else { Ok(answered) }
}

impl Inner {
    fn books<R>(&self, read: impl FnOnce(&mut Books) -> R) -> R {
        read(&mut self.books.lock().expect("no panic before"))
    }

    fn url(&self, resource: &str, item: usize) -> String {
        format!("{}/{resource}/{item}", self.base)
    }

    fn directory(&self) -> Response<Full<Bytes>> {
        let at = |name: &str| format!("{}/{name}", self.base);
        let urls = json!({ "newNonce": at("new-nonce"), "newAccount": at("new-account"), "newOrder": at("new-order") });
        self.json(200, &urls, &[])
    }

    fn json(&self, status: u16, value: &Value, headers: &[(&'static str, String)]) -> Response<Full<Bytes>> {
        let nonce = self.books(|books| {
            books.count += 1;
            let nonce = HEXLOWER.encode(digest(&SHA256, &books.count.to_be_bytes()).as_ref());
            books.nonces.insert(nonce.clone());
            nonce
        });
        let mut answer = Response::new(Full::from(value.to_string()));
        *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
        let headers = headers.iter().cloned().chain([("replay-nonce", nonce)]);
        for (name, value) in headers {
            answer.headers_mut().insert(name, value.parse().expect("a header"));
        }
        answer
    }

    fn plain(&self, status: u16, after: Option<&str>) -> Response<Full<Bytes>> {
        let headers: Vec<_> = after.map(|after| ("retry-after", after.to_owned())).into_iter().collect();
        let mut answer = self.json(status, &Value::Null, &headers);
        *answer.body_mut() = Full::from("<html>busy</html>");
        answer
    }

    fn problem(&self, status: u16, kind: &str, after: Option<&str>) -> Response<Full<Bytes>> {
        let headers: Vec<_> = after.map(|after| ("retry-after", after.to_owned())).into_iter().collect();
        self.json(
            status,
            &json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": "10.1.2.3" }),
            &headers,
        )
    }

    /// Checks signature, nonce and URL.
    fn verify(&self, body: &[u8], url: &str) -> Result<Signed, &'static str> {
        let body: Value = serde_json::from_slice(body).map_err(|_| "malformed")?;
        let text = |name: &str| body[name].as_str().ok_or("malformed");
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| "malformed");
        let head: Value = serde_json::from_slice(&decode(text("protected")?)?).map_err(|_| "malformed")?;
        let nonce = head["nonce"].as_str().unwrap_or_default();
        if head["alg"] != "ES256" || head["url"] != url {
            return Err("malformed");
        }
        if !self.books(|books| books.nonces.remove(nonce)) {
            return Err("badNonce");
        }
        let (account, point, thumbprint) = match head["kid"].as_str() {
            Some(kid) => {
                let id = kid.strip_prefix(&format!("{}/account/", self.base)).and_then(|id| id.parse::<usize>().ok());
                let known = id.and_then(|id| Some((id, self.books(|books| books.accounts.get(id).cloned())?)));
                let (id, (point, thumbprint)) = known.ok_or("accountDoesNotExist")?;
                (Some(id), point, thumbprint)
            }
            None => {
                let (x, y) =
                    (head["jwk"]["x"].as_str().ok_or("malformed")?, head["jwk"]["y"].as_str().ok_or("malformed")?);
                let point = [&[4][..], &decode(x)?, &decode(y)?].concat();
                let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
                let thumbprint = BASE64URL_NOPAD.encode(digest(&SHA256, canonical.as_bytes()).as_ref());
                (None, point, thumbprint)
            }
        };
        let message = format!("{}.{}", text("protected")?, text("payload")?);
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point);
        key.verify(message.as_bytes(), &decode(text("signature")?)?).map_err(|_| "malformed")?;
        let payload = serde_json::from_slice(&decode(text("payload")?)?).unwrap_or(Value::Null);
        Ok(Signed { account, point, thumbprint, payload })
    }

    fn resource(&self, resource: &str, item: usize, signed: &Signed, fault: Option<&Fault>) -> Response<Full<Bytes>> {
        match (resource, signed.account) {
            ("new-account", None) => {
                assert_eq!(signed.payload["termsOfServiceAgreed"], true);
                let id = self.books(|books| {
                    let known = books.accounts.iter().position(|(point, _)| *point == signed.point);
                    known.unwrap_or_else(|| {
                        books.accounts.push((signed.point.clone(), signed.thumbprint.clone()));
                        books.accounts.len() - 1
                    })
                });
                self.json(201, &json!({ "status": "valid" }), &[("location", self.url("account", id))])
            }
            ("account", Some(_)) => self.json(200, &json!({ "status": "valid" }), &[]),
            ("new-order", Some(_)) => {
                let names = signed.payload["identifiers"].as_array().expect("identifiers");
                let domains: Vec<_> =
                    names.iter().map(|name| name["value"].as_str().expect("a name").to_owned()).collect();
                let id = self.books(|books| {
                    let order = books.orders.len();
                    for domain in &domains {
                        let token = format!("token-{}", books.proofs.len());
                        let domain = domain.clone();
                        books.proofs.push(Proof { order, domain, token, status: "pending", error: None });
                    }
                    books.orders.push(Order { domains, status: "pending", chain: None });
                    order
                });
                self.json(201, &self.order(id), &[("location", self.url("order", id))])
            }
            ("order", Some(_)) => {
                let shown = self.order(item);
                // Who looks at what is being issued finds it issued the next time.
                self.books(|books| {
                    if let Some(order) = books.orders.get_mut(item).filter(|order| order.status == "processing") {
                        order.status = "valid";
                    }
                });
                self.json(200, &shown, &[])
            }
            ("authorization", Some(_)) => self.json(200, &self.authorization(item), &[]),
            ("challenge", Some(_)) => self.json(200, &self.challenge(item), &[]),
            ("finalize", Some(_)) => {
                let ready = self.books(|books| books.orders.get(item).is_some_and(|order| order.status == "ready"));
                if !ready {
                    return self.problem(403, "orderNotReady", None);
                }
                self.issue(item, signed.payload["csr"].as_str().expect("a request"), fault);
                self.json(200, &self.order(item), &[])
            }
            ("certificate", Some(_)) => {
                let chain = self.books(|books| books.orders[item].chain.clone()).expect("it was issued");
                let mut answer = self.json(200, &Value::Null, &[]);
                *answer.body_mut() = Full::from(chain);
                answer
            }
            _ => self.problem(404, "malformed", None),
        }
    }

    fn order(&self, id: usize) -> Value {
        self.books(|books| {
            let order = &books.orders[id];
            let proofs = books.proofs.iter().enumerate().filter(|(_, proof)| proof.order == id);
            let authorizations: Vec<_> = proofs.map(|(place, _)| self.url("authorization", place)).collect();
            let mut shown = json!({
                "status": order.status,
                "identifiers": order.domains.iter().map(|name| json!({ "type": "dns", "value": name })).collect::<Vec<_>>(),
                "authorizations": authorizations,
                "finalize": self.url("finalize", id),
            });
            if order.status == "valid" {
                shown["certificate"] = json!(self.url("certificate", id));
            }
            shown
        })
    }

    fn authorization(&self, place: usize) -> Value {
        let (domain, status) = self.books(|books| (books.proofs[place].domain.clone(), books.proofs[place].status));
        let other = json!({ "type": "http-01", "url": self.url("challenge", 999), "token": "x", "status": "pending" });
        json!({
            "identifier": { "type": "dns", "value": domain },
            "status": status,
            "challenges": [other, self.challenge(place)],
        })
    }

    fn challenge(&self, place: usize) -> Value {
        self.books(|books| {
            let proof = &books.proofs[place];
            let url = self.url("challenge", place);
            let mut shown = json!({ "type": "tls-alpn-01", "url": url, "token": proof.token, "status": proof.status });
            if let Some(error) = proof.error {
                shown["error"] = json!({ "type": format!("urn:ietf:params:acme:error:{error}"), "detail": "10.1.2.3" });
            }
            shown
        })
    }

    /// Connects to where the name leads, and looks at what is shown there.
    async fn prove(&self, place: usize, thumbprint: &str) {
        let (domain, token) =
            self.books(|books| (books.proofs[place].domain.clone(), books.proofs[place].token.clone()));
        let mut gateway = self.gateway.subscribe();
        let address = gateway.wait_for(Option::is_some).await.expect("the sender lives").expect("it is some");
        let expected = digest(&SHA256, format!("{token}.{thumbprint}").as_bytes());
        let error = tls::prove(address, &domain, expected.as_ref()).await.err();
        self.books(|books| {
            let proof = &mut books.proofs[place];
            (proof.status, proof.error) = if error.is_some() { ("invalid", error) } else { ("valid", None) };
            let (order, failed) = (proof.order, error.is_some());
            let all = books.proofs.iter().filter(|proof| proof.order == order).all(|proof| proof.status == "valid");
            let status = &mut books.orders[order].status;
            *status = if failed {
                "invalid"
            } else if all {
                "ready"
            } else {
                status
            };
        });
    }

    fn issue(&self, id: usize, csr: &str, fault: Option<&Fault>) {
        let der = BASE64URL_NOPAD.decode(csr.as_bytes()).expect("base64");
        let mut request =
            CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der)).expect("a CSR");
        let now = self.clock.now().0;
        let time = |at: i64| time::OffsetDateTime::from_unix_timestamp(at).expect("a time");
        let domains = self.books(|books| books.orders[id].domains.clone());
        if matches!(fault, Some(Fault::WrongName)) {
            request.params.subject_alt_names =
                CertificateParams::new(["other.example.org".to_owned()]).expect("a name").subject_alt_names;
        } else {
            let asked: HashSet<_> = request.params.subject_alt_names.iter().cloned().collect();
            let ordered = CertificateParams::new(domains).expect("names").subject_alt_names;
            assert_eq!(asked, ordered.into_iter().collect(), "a request is for what was ordered");
        }
        request.params.not_before = time(now - 3600);
        request.params.not_after = time(now - 3600 + self.life_days * 86_400);
        let certificate = if matches!(fault, Some(Fault::WrongKey)) {
            let key = KeyPair::generate().expect("a key");
            request.params.signed_by(&key, &self.issuer).expect("signed")
        } else {
            request.signed_by(&self.issuer).expect("signed")
        };
        self.books(|books| {
            let order = &mut books.orders[id];
            (order.status, order.chain) = ("processing", Some(certificate.pem() + &self.intermediate));
        });
    }
}
