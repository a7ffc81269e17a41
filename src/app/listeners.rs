//! The listeners: bound one after the other, served until the gateway stops.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::app::failure::{Failure, Kind};
use crate::config::Config;
use crate::http::health::Health;
use crate::http::ingress::Ingress;
use crate::http::listener::bind;
use crate::http::local::Routes;
use crate::http::local_socket::LocalSocket;
use crate::http::settings::{ConnectionLimits, IngressSettings, Pace};
use crate::ingest::door::Door;
use crate::lifecycle::{Readiness, Stopped};
use crate::telemetry::http::HttpMetrics;
use crate::telemetry::registry::Registry;
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
    /// Shown to senders of notifications.
    pub(super) certificate: Arc<Certificate>,
    /// Counts.
    pub(super) http: HttpMetrics,
    /// When to end.
    pub(super) stopped: Stopped,
}

/// The listeners under way, and where they listen.
#[derive(Default)]
pub(super) struct Listeners {
    pub(super) running: JoinSet<()>,
    pub(super) ingress: Vec<SocketAddr>,
    pub(super) metrics: Option<SocketAddr>,
}

impl Listeners {
    /// Opens all that the configuration names.
    pub(super) async fn open(config: &Config, behind: &Behind) -> Result<Self, Failure> {
        let mut listeners = Self::default();
        listeners.ingress(config, behind).await?;
        listeners.metrics(config, behind).await?;
        listeners.local(config, behind)?;
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
        let Behind { door, readiness, certificate, http, stopped, .. } = behind;
        let settings = ingress_settings(config);
        let ingress = Ingress::new(settings, Arc::clone(door), Arc::clone(readiness), http, stopped.clone());
        let (tls, http) = (certificate.server_config(), http.clone());
        self.running.spawn(async move { ingress.serve(sockets, tls, limits, &http).await });
        Ok(())
    }

    async fn metrics(&mut self, config: &Config, behind: &Behind) -> Result<(), Failure> {
        let Some(address) = config.metrics.listen else { return Ok(()) };
        let socket = bound(address).await?;
        self.metrics = socket.local_addr().ok();
        let health = Health::new(Arc::clone(&behind.registry), Arc::clone(&behind.readiness));
        let (http, stopped) = (behind.http.clone(), behind.stopped.clone());
        self.running.spawn(async move { health.serve(socket, ConnectionLimits::default(), &http, stopped).await });
        Ok(())
    }

    fn local(&mut self, config: &Config, behind: &Behind) -> Result<(), Failure> {
        let socket = LocalSocket::bind(&config.local.socket).map_err(|error| Failure::new(Kind::Listener, error))?;
        let (routes, http, stopped) = (Arc::clone(&behind.routes), behind.http.clone(), behind.stopped.clone());
        self.running.spawn(async move { socket.serve(routes, ConnectionLimits::default(), &http, stopped).await });
        Ok(())
    }
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
