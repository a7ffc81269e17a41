//! The listeners: bound one after the other, served until the gateway stops.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::access::Gate;
use crate::app::certified;
use crate::app::failure::{Failure, Kind};
use crate::clock::Clock;
use crate::config::{Config, Tls};
use crate::http::bearer::Bearer;
use crate::http::health::Health;
use crate::http::ingress::Ingress;
use crate::http::listener::bind;
use crate::http::local::Routes;
use crate::http::local_https::LocalHttps;
use crate::http::local_socket::LocalSocket;
use crate::http::request_id::RequestIds;
use crate::http::settings::{ConnectionLimits, IngressSettings, Pace};
use crate::ingest::door::Door;
use crate::lifecycle::{Readiness, Stopped};
use crate::telemetry::http::{HttpMetrics, Listener};
use crate::telemetry::registry::Registry;
use crate::tls::files::Files;
use crate::tls::server::Certificate;

/// What the listeners lead to.
pub(super) struct Behind {
    /// Takes notifications.
    pub(super) door: Arc<Door>,
    /// The routes of the local API.
    pub(super) routes: Arc<Routes>,
    /// What is shown as metrics.
    pub(super) registry: Arc<Registry>,
    /// Whether notifications are taken.
    pub(super) readiness: Arc<Readiness>,
    /// Everybody's rights.
    pub(super) gate: Arc<Gate>,
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    /// The names of requests.
    pub(super) ids: Arc<RequestIds>,
    /// Who the listeners show themselves to be.
    pub(super) certificates: Certificates,
    /// Counts.
    pub(super) http: HttpMetrics,
    /// When to end.
    pub(super) stopped: Stopped,
}

/// The certificates of the listeners that have one.
pub(super) struct Certificates {
    pub(super) ingress: Arc<Certificate>,
    pub(super) api: Option<Arc<Certificate>>,
    pub(super) metrics: Option<Arc<Certificate>>,
}

/// The listeners under way, and where they listen.
#[derive(Default)]
pub(super) struct Listeners {
    pub(super) running: JoinSet<()>,
    pub(super) ingress: Vec<SocketAddr>,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) api: Option<SocketAddr>,
}

impl Listeners {
    /// Opens all that the configuration names.
    pub(super) async fn open(config: &Config, behind: &Behind) -> Result<Self, Failure> {
        let mut listeners = Self::default();
        listeners.ingress(config, behind).await?;
        listeners.metrics(config, behind).await?;
        listeners.local(config, behind)?;
        listeners.api(config, behind).await?;
        Ok(listeners)
    }

    async fn ingress(&mut self, config: &Config, behind: &Behind) -> Result<(), Failure> {
        let connections_max = config.ingress.max_connections;
        let limits = ConnectionLimits { connections_max, ..ConnectionLimits::default() };
        let mut sockets = Vec::new();
        for address in &config.ingress.listen {
            sockets.push(bound(*address).await?);
        }
        self.ingress = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let Behind { door, readiness, certificates, http, stopped, .. } = behind;
        let settings = ingress_settings(config);
        let ingress = Ingress::new(settings, Arc::clone(door), Arc::clone(readiness), http, stopped.clone());
        let (tls, http) = (certificates.ingress.server_config(), http.clone());
        self.running.spawn(async move { ingress.serve(sockets, tls, limits, &http).await });
        Ok(())
    }

    async fn metrics(&mut self, config: &Config, behind: &Behind) -> Result<(), Failure> {
        let Some(address) = config.metrics.listen else { return Ok(()) };
        let socket = bound(address).await?;
        self.metrics = socket.local_addr().ok();
        let certificate = Arc::clone(&behind.certificates.ingress);
        let told = Box::new(move || certified::told(&certificate));
        let (registry, readiness) = (Arc::clone(&behind.registry), Arc::clone(&behind.readiness));
        let health = Health::new(registry, readiness, Arc::clone(&behind.clock), told);
        let (http, stopped) = (behind.http.clone(), behind.stopped.clone());
        let limits = ConnectionLimits::default();
        match &behind.certificates.metrics {
            None => self.running.spawn(async move { health.serve(socket, limits, &http, stopped).await }),
            Some(certificate) => {
                let (over, bearer) = ((socket, certificate.server_config()), behind.bearer(Listener::Metrics));
                self.running.spawn(async move { health.serve_tls(over, bearer, limits, &http, stopped).await })
            }
        };
        Ok(())
    }

    fn local(&mut self, config: &Config, behind: &Behind) -> Result<(), Failure> {
        let socket = LocalSocket::bind(&config.local.socket).map_err(|error| Failure::new(Kind::Listener, error))?;
        let (routes, ids) = (Arc::clone(&behind.routes), Arc::clone(&behind.ids));
        let (http, stopped) = (behind.http.clone(), behind.stopped.clone());
        let limits = ConnectionLimits::default();
        self.running.spawn(async move { socket.serve(routes, ids, limits, &http, stopped).await });
        Ok(())
    }

    async fn api(&mut self, config: &Config, behind: &Behind) -> Result<(), Failure> {
        let (Some(address), Some(certificate)) = (config.local.listen, &behind.certificates.api) else {
            return Ok(());
        };
        let socket = bound(address).await?;
        self.api = socket.local_addr().ok();
        let routes = Arc::clone(&behind.routes);
        let https = LocalHttps::new(routes, behind.bearer(Listener::Api), Arc::clone(&behind.ids));
        let (tls, http, stopped) = (certificate.server_config(), behind.http.clone(), behind.stopped.clone());
        let limits = ConnectionLimits::default();
        self.running.spawn(async move { https.serve(socket, tls, limits, &http, stopped).await });
        Ok(())
    }
}

impl Behind {
    fn bearer(&self, listener: Listener) -> Arc<Bearer> {
        Bearer::new(Arc::clone(&self.gate), Arc::clone(&self.clock), listener, &self.http)
    }
}

impl Certificates {
    /// The certificates that the configuration names; that of ingress may have to be ordered first.
    pub(super) fn load(config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            ingress: config.ingress.tls.as_ref().map_or_else(|| Ok(Certificate::ordered()), loaded)?,
            api: config.local.tls.as_ref().map(loaded).transpose()?,
            metrics: config.metrics.tls.as_ref().map(loaded).transpose()?,
        })
    }

    /// Those that notifications do not depend on.
    pub(super) fn others(&self) -> Vec<(Listener, Arc<Certificate>)> {
        let others = [(Listener::Api, &self.api), (Listener::Metrics, &self.metrics)];
        others.into_iter().filter_map(|(listener, one)| Some((listener, Arc::clone(one.as_ref()?)))).collect()
    }
}

fn loaded(tls: &Tls) -> Result<Arc<Certificate>, Failure> {
    let files = Files { certificate: tls.certificate.clone(), private_key: tls.private_key.clone() };
    Certificate::load(files).map_err(|error| Failure::new(Kind::Configuration, error))
}

async fn bound(address: SocketAddr) -> Result<TcpListener, Failure> {
    bind(address).await.map_err(|error| Failure::new(Kind::Listener, error))
}

fn ingress_settings(config: &Config) -> IngressSettings {
    let ingress = &config.ingress;
    IngressSettings {
        paths: ingress.paths.iter().map(|path| path.trim_end_matches('/').to_owned()).collect(),
        client_ids: ingress.client_ids.clone(),
        allow_from: ingress.allow_from.clone(),
        trusted_proxies: ingress.trusted_proxies.clone(),
        pace: Pace { deadline: ingress.body_deadline, rate_min: ingress.body_min_rate, ..Pace::default() },
    }
}
