//! Upstreams that never answer, each at an address of loopback of its own.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// Longer than a connection on loopback takes.
const CONNECTED_WITHIN: Duration = Duration::from_millis(500);

/// A host that gives nothing.
pub(crate) struct Dead {
    pub(crate) what: &'static str,
    address: SocketAddr,
    /// What keeps it as it is.
    _listener: Option<TcpListener>,
    _connections: Vec<TcpStream>,
}

impl Dead {
    /// Nobody listens there.
    pub(crate) fn refusing() -> Self {
        let address = listener(2).local_addr().expect("it was bound");
        Self { what: "connection refused", address, _listener: None, _connections: Vec::new() }
    }

    /// Connections are taken, and nothing ever comes back on them.
    pub(crate) fn silent() -> Self {
        let listener = listener(3);
        let address = listener.local_addr().expect("it is bound");
        // The thread ends with the process: it holds a few idle connections.
        thread::spawn(move || listener.incoming().collect::<Vec<_>>());
        Self { what: "accepts, never answers", address, _listener: None, _connections: Vec::new() }
    }

    /// What is sent there is lost: the queue of new connections is full and nobody takes any.
    pub(crate) fn black_hole() -> Self {
        let listener = listener(4);
        let address = listener.local_addr().expect("it is bound");
        rustix::net::listen(&listener, 0).expect("the queue may be made shorter");
        let mut connections = Vec::new();
        while let Ok(connection) = TcpStream::connect_timeout(&address, CONNECTED_WITHIN) {
            connections.push(connection);
            assert!(connections.len() < 1000, "the queue of new connections does not fill");
        }
        Self { what: "black hole", address, _listener: Some(listener), _connections: connections }
    }

    /// `host:port` for URLs.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }
}

fn listener(last: u8) -> TcpListener {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, last], 0))).expect("a free port of loopback")
}
