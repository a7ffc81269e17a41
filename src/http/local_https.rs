//! The local API over HTTPS: who asks is known from a token, what is asked goes to [`LocalApi`].
//!
//! Never: a look at a request before its token was found good.

use std::{net::IpAddr, sync::Arc};

use hyper::{Request, body::Incoming};
use rustls::ServerConfig;
use tokio::net::TcpListener;

use crate::access::tokens::Token;
use crate::http::{
    bearer::Bearer,
    connection::{Answer, Answered},
    listener::Front,
    local_answer::{self, AnswerBody, told},
    local_api::{Caller, LocalApi},
    request_id::RequestIds,
    settings::ConnectionLimits,
};
use crate::lifecycle::Stopped;
use crate::telemetry::http::{HttpMetrics, Listener};

/// The local API over HTTPS.
pub struct LocalHttps {
    api: Arc<dyn LocalApi>,
    bearer: Arc<Bearer>,
    ids: Arc<RequestIds>,
}

impl LocalHttps {
    /// These routes for whoever this finds good.
    pub fn new(api: Arc<dyn LocalApi>, bearer: Arc<Bearer>, ids: Arc<RequestIds>) -> Arc<Self> {
        Arc::new(Self { api, bearer, ids })
    }

    /// Serves until the gateway stops and what is under way has ended.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        limits: ConnectionLimits,
        metrics: &HttpMetrics,
        stopped: Stopped,
    ) {
        Front::new(Listener::Api, self, limits, metrics, stopped).serve_tls(listener, tls).await;
    }
}

impl Answer for LocalHttps {
    type Peer = IpAddr;
    type Body = AnswerBody;

    async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Answered<AnswerBody> {
        let id = self.ids.of(request.headers());
        match self.bearer.identify(peer, request.headers()) {
            Ok(Token { name, grant, .. }) => {
                let caller = Caller::Token { name, role: grant.role, scope: grant.scope };
                local_answer::answer(&*self.api, caller, id, request).await
            }
            Err(problem) => told(problem.into_response(), &id),
        }
    }
}
