//! The demo's site: a gateway in a folder, spoken to over its socket and over HTTPS as anybody would.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::{Method, StatusCode};
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
use crate::tls::generate::self_signed;

const ANSWER_BYTES_MAX: usize = 1 << 20;
const PATH: &str = "/garmin/demo";
/// How long filing may take to catch up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running gateway and the two ways to it.
pub(super) struct Site {
    gateway: Gateway,
    local: Connection,
    ingress: Connection,
}

impl Site {
    /// Makes keys and certificate in the folder, and starts the gateway on free ports of loopback.
    pub(super) async fn start(dir: &Path) -> Result<Site, Failure> {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let pair =
            self_signed(&["localhost".to_owned()], SystemClock.now(), 30).map_err(|_| "no certificate".to_owned())?;
        let tls = Tls { certificate: dir.join("certificate.pem"), private_key: dir.join("private.key") };
        write(&tls.certificate, pair.certificate.as_bytes())?;
        write(&tls.private_key, pair.private_key.as_bytes())?;
        let root_key = Key::random(&SystemRandom::new());
        write(&dir.join("root.key"), hex(&root_key).as_bytes())?;

        let mut config = Config { data_dir: dir.join("data"), ..Config::default() };
        config.ingress.listen = vec![here];
        config.ingress.paths = vec![PATH.to_owned()];
        config.ingress.tls = Some(tls);
        config.metrics.listen = Some(here);
        config.local.socket = dir.join("studygate.sock");
        let gateway = Gateway::start(&config, &root_key).await.map_err(said)?;

        let trust =
            Trust::roots(pair.certificate.as_bytes()).map_err(|_| "the certificate is not trusted".to_owned())?;
        let address = gateway.ingress().first().ok_or("the gateway listens nowhere")?.to_string();
        let ingress = Connection::https(&address, "localhost", &trust).await.map_err(said)?;
        let local = Connection::unix(&config.local.socket).await.map_err(said)?;
        Ok(Site { gateway, local, ingress })
    }

    /// Where notifications go.
    pub(super) fn address(&self) -> String {
        let port = self.gateway.ingress().first().map_or(0, SocketAddr::port);
        format!("https://localhost:{port}{PATH}")
    }

    /// Pushes one notification, which must be answered 200.
    pub(super) async fn push(&mut self, body: String) -> Result<(), Failure> {
        let answer = self.ingress.send(Outgoing::post_json(format!("{PATH}/push"), body)).await.map_err(said)?;
        let status = answer.status;
        answer.whole(ANSWER_BYTES_MAX).await.map_err(said)?;
        if status == StatusCode::OK { Ok(()) } else { Err(format!("a notification was answered {status}")) }
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

    /// Waits until everything that was answered is filed, and nothing waits to be purged or picked up.
    pub(super) async fn settled(&mut self) -> Result<(), Failure> {
        let started = SystemClock.monotonic();
        loop {
            let status = self.ask(Method::GET, "status", &Value::Null).await?;
            let waiting = [&status["journal"]["bodies"], &status["purges_pending"]];
            if waiting.iter().all(|count| count.as_u64() == Some(0)) {
                return Ok(());
            }
            if SystemClock.monotonic().saturating_sub(started) > PATIENCE {
                return Err("filing does not catch up; look at the log".to_owned());
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
        let Site { gateway, local, ingress } = self;
        drop((local, ingress));
        gateway.stop().await.map_err(said)
    }
}

/// What went wrong, as a sentence.
pub(super) fn said(cause: impl std::fmt::Display) -> Failure {
    cause.to_string()
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
