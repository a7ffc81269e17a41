//! The demo's site: a gateway in a folder, spoken to over its socket and over HTTPS as anybody would, and the callback
//! server that it fetches from.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use ring::rand::SystemRandom;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::app::Gateway;
use crate::client::connection::{Connection, Outgoing};
use crate::client::trust::Trust;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Tls};
use crate::crypto::key::Key;
use crate::demo::Failure;
use crate::simulate::callbacks::{self, Callbacks};
use crate::simulate::notification::Notification;
use crate::simulate::sender::{self, Body, Sender, Target};
use crate::tls::generate::{Pair, self_signed};

const ANSWER_BYTES_MAX: usize = 1 << 20;
const PATH: &str = "/garmin/demo";
/// Callbacks that are answered at once.
const PULLS_AT_ONCE: usize = 8;
/// How long pulls and filing may take to catch up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running gateway, the two ways to it, and the one way out of it.
pub(super) struct Site {
    gateway: Gateway,
    local: Connection,
    sender: Arc<Sender>,
    callbacks: Arc<Callbacks>,
    config_file: PathBuf,
}

impl Site {
    /// Makes keys and certificates in the folder, and starts the callback server and the gateway on free ports of
    /// loopback.
    pub(super) async fn start(dir: &Path, seed: u64) -> Result<Site, Failure> {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let ca_file = dir.join("callbacks.pem");
        let settings = callbacks::Settings { seed, ..callbacks::Settings::default() };
        let callbacks_pair = certificate(&ca_file)?;
        let callbacks = Callbacks::start(settings, &callbacks_pair, Arc::new(SystemClock)).await.map_err(said)?;

        let tls = Tls { certificate: dir.join("certificate.pem"), private_key: dir.join("private.key") };
        let pair = certificate(&tls.certificate)?;
        write(&tls.private_key, pair.private_key.as_bytes())?;
        let root_key = Key::random(&SystemRandom::new());
        write(&dir.join("root.key"), hex(&root_key).as_bytes())?;

        let mut config = Config { data_dir: dir.join("data"), ..Config::default() };
        config.ingress.listen = vec![here];
        config.ingress.paths = vec![PATH.to_owned()];
        config.ingress.tls = Some(tls);
        config.metrics.listen = Some(here);
        config.local.socket = dir.join("studygate.sock");
        config.pull.hosts = vec![callbacks.host().to_owned()];
        config.pull.allow_private = true;
        config.pull.ca_file = ca_file;
        config.pull.concurrency = PULLS_AT_ONCE;
        let gateway = Gateway::start(&config, &root_key).await.map_err(said)?;

        let trust =
            Trust::roots(pair.certificate.as_bytes()).map_err(|_| "the certificate is not trusted".to_owned())?;
        let address = gateway.ingress().first().ok_or("the gateway listens nowhere")?.to_string();
        let target = Target::of(&format!("https://{address}{PATH}"), trust).map_err(said)?;
        let sender = Sender::new(target, sender::Settings { seed, ..sender::Settings::default() });
        let local = Connection::unix(&config.local.socket).await.map_err(said)?;
        let config_file = dir.join("studygate.toml");
        let metrics = gateway.metrics().map(|address| address.to_string()).unwrap_or_default();
        write(&config_file, settings_text(&address, &metrics).as_bytes())?;
        Ok(Site { gateway, local, sender: Arc::new(sender), callbacks: Arc::new(callbacks), config_file })
    }

    /// The configuration with which commands find this gateway.
    pub(super) fn config_file(&self) -> &Path {
        &self.config_file
    }

    /// Where metrics are told.
    pub(super) fn metrics(&self) -> String {
        self.gateway.metrics().map_or_else(String::new, |address| format!("http://{address}/metrics"))
    }

    /// Where notifications go.
    pub(super) fn address(&self) -> String {
        let address = self.gateway.ingress().first().map(ToString::to_string).unwrap_or_default();
        format!("https://{address}{PATH}")
    }

    /// Who posts notifications.
    pub(super) fn sender(&self) -> Arc<Sender> {
        Arc::clone(&self.sender)
    }

    /// Who answers callbacks.
    pub(super) fn callbacks(&self) -> Arc<Callbacks> {
        Arc::clone(&self.callbacks)
    }

    /// Posts one notification, which must be answered 200.
    pub(super) async fn post(&self, notification: &Notification) -> Result<(), Failure> {
        let body = Body::Text(Bytes::from(notification.to_json()));
        self.sender.post(&body).await.map_err(|miss| format!("a notification was {miss}"))
    }

    /// Asks the local API.
    pub(super) async fn ask(&mut self, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
        let target = format!("/api/v1/{path}");
        let outgoing = match method {
            Method::GET => Outgoing::get(target),
            method => Outgoing::with_json(method, target, body.to_string()),
        };
        let answer = self.local.send(outgoing).await.map_err(said)?;
        let status = answer.status;
        let whole = answer.whole(ANSWER_BYTES_MAX).await.map_err(said)?;
        let value: Value = serde_json::from_slice(&whole).map_err(said)?;
        if status.is_success() { Ok(value) } else { Err(super::text(&value, "detail").to_owned()) }
    }

    /// Waits until everything that was answered is filed, everything that was pinged is fetched or has another end, and
    /// nothing waits to be purged.
    pub(super) async fn settled(&mut self) -> Result<(), Failure> {
        let started = SystemClock.monotonic();
        loop {
            let status = self.ask(Method::GET, "status", &Value::Null).await?;
            let pulls = &status["pulls"];
            let waiting = [
                &status["journal"]["bodies"],
                &status["purges_pending"],
                &pulls["waiting"],
                &pulls["running"],
                &pulls["delivered"],
            ];
            if waiting.iter().all(|count| count.as_u64() == Some(0)) {
                return Ok(());
            }
            if SystemClock.monotonic().saturating_sub(started) > PATIENCE {
                return Err("filing or fetching does not catch up; look at the log".to_owned());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Exports a study into this folder; the file.
    pub(super) async fn export(&mut self, study: &str, dir: &Path) -> Result<PathBuf, Failure> {
        let outgoing = Outgoing::get(format!("/api/v1/studies/{study}/export"));
        let mut answer = self.local.send(outgoing).await.map_err(said)?;
        if !answer.status.is_success() {
            return Err(format!("the export was answered {}", answer.status));
        }
        let path = dir.join(format!("{study}.zip.age"));
        let mut file = tokio::fs::File::create(&path).await.map_err(said)?;
        while let Some(piece) = answer.chunk().await.map_err(said)? {
            file.write_all(&piece).await.map_err(said)?;
        }
        file.sync_all().await.map_err(said)?;
        Ok(path)
    }

    /// Stops the gateway.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        let Site { gateway, local, sender, callbacks, .. } = self;
        drop((local, sender, callbacks));
        gateway.stop().await.map_err(said)
    }
}

/// What went wrong, as a sentence.
pub(super) fn said(cause: impl std::fmt::Display) -> Failure {
    cause.to_string()
}

/// What a configuration file says of this site, its paths relative to the file.
fn settings_text(ingress: &str, metrics: &str) -> String {
    format!(
        "data_dir = \"data\"\n[keys]\nroot_key = \"root.key\"\n\
         [ingress]\nlisten = [\"{ingress}\"]\npaths = [\"{PATH}\"]\n\
         [ingress.tls]\ncertificate = \"certificate.pem\"\nprivate_key = \"private.key\"\n\
         [local]\nsocket = \"studygate.sock\"\n[metrics]\nlisten = \"{metrics}\"\n"
    )
}

/// A certificate for this machine, in this file; its key is not written.
fn certificate(path: &Path) -> Result<Pair, Failure> {
    let name = Ipv4Addr::LOCALHOST.to_string();
    let pair = self_signed(&[name], SystemClock.now(), 30).map_err(|_| "no certificate".to_owned())?;
    write(path, pair.certificate.as_bytes())?;
    Ok(pair)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(path);
    opened.and_then(|mut file| file.write_all(bytes)).map_err(|cause| format!("{}: {cause}", path.display()))
}

fn hex(key: &Key) -> String {
    format!("{}\n", data_encoding::HEXLOWER.encode(key.expose()))
}
