//! Garmin's file server, one download at a time, stopped where a test wants to kill the gateway.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use studygate::tls::generate::Pair;

use crate::garmin::pair;

/// Where a download rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The request has come, and nothing is answered.
    BeforeHead,
    /// The head is sent, and nothing of the body.
    AfterHead,
    /// Half of the body is sent.
    Middle,
    /// Everything is handed over.
    LastByte,
}

/// A file that lies ready.
struct Ready {
    bytes: Vec<u8>,
    stage: Stage,
    /// Whether the first download counts, however it ends.
    counts: bool,
    asked: u32,
}

/// A server of files.
pub(crate) struct Stages {
    address: SocketAddr,
    pair: Pair,
    files: Arc<Mutex<HashMap<String, Ready>>>,
    reached: Receiver<()>,
}

impl Stages {
    pub(crate) fn start() -> Self {
        let (pair, files) = (pair(), Arc::<Mutex<HashMap<String, Ready>>>::default());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (tell, reached) = channel();
        let (config, shared) = (server_config(&pair), Arc::clone(&files));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (config, files, tell) = (Arc::clone(&config), Arc::clone(&shared), tell.clone());
                // The gateway is killed in the middle of it, so that it may end with any error.
                thread::spawn(move || serve(socket, config, &files, &tell).ok());
            }
        });
        Self { address, pair, files, reached }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn certificate(&self) -> &str {
        &self.pair.certificate
    }

    /// Lays a file ready; its URL. The first download rests at `stage`, and no second one is given where it counts.
    pub(crate) fn offer(&self, number: usize, bytes: Vec<u8>, stage: Stage, counts: bool) -> String {
        let token = format!("stagestoken{number:08}");
        let ready = Ready { bytes, stage, counts, asked: 0 };
        self.files.lock().expect("no panic").insert(token.clone(), ready);
        format!("https://{}/wellness-api/rest/activityFile?id={number}&token={token}", self.address)
    }

    /// Returns once a download rests.
    pub(crate) fn wait(&self) {
        self.reached.recv_timeout(Duration::from_secs(120)).expect("the file is asked for");
    }
}

fn serve(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    files: &Mutex<HashMap<String, Ready>>,
    reached: &Sender<()>,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    while let Some(token) = read_token(&mut stream)? {
        let (bytes, stage, is_first, is_gone) = {
            let mut files = files.lock().expect("no panic");
            let ready = files.get_mut(&token).expect("a token of this server");
            ready.asked += 1;
            (ready.bytes.clone(), ready.stage, ready.asked == 1, ready.asked > 1 && ready.counts)
        };
        if is_gone {
            stream.write_all(b"HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{}")?;
            stream.flush()?;
            continue;
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
        let sent = match (is_first, stage) {
            (true, Stage::BeforeHead) => Vec::new(),
            (true, Stage::AfterHead) => head.into_bytes(),
            (true, Stage::Middle) => [head.as_bytes(), &bytes[..bytes.len() / 2]].concat(),
            (true, Stage::LastByte) | (false, _) => [head.as_bytes(), &bytes].concat(),
        };
        stream.write_all(&sent)?;
        stream.flush()?;
        if is_first {
            // Where the test has ended nobody waits for it.
            reached.send(()).ok();
        }
    }
    Ok(())
}

/// The token of the next request; `None` where the other side has gone.
fn read_token(stream: &mut StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            length => head.extend_from_slice(&piece[..length]),
        }
    }
    let text = String::from_utf8_lossy(&head);
    let token = text.split_once("token=").and_then(|(_, rest)| rest.split([' ', '&']).next());
    Ok(token.map(str::to_owned))
}

fn server_config(pair: &Pair) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).map(|one| one.expect("PEM")).collect();
    let key = PrivateKeyDer::from_pem_slice(pair.private_key.as_bytes()).expect("PEM");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key);
    Arc::new(config.expect("a certificate and its key"))
}
