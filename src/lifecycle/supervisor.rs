//! What the service manager is told, in the protocol of sd_notify(3): a datagram of `NAME=value` lines.
//!
//! Own lines instead of a crate: it is one `send`, and the address is an argument here, not a variable that is read.
//!
//! Never: a start or an end that fails because nobody listens.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A service manager whose queue is full is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who started the gateway, where that is a service manager that wants to be told.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The listeners are open.
    Ready,
    /// The configuration is read again; [`Message::Ready`] follows.
    Reloading {
        /// The monotonic time at which that began.
        since: Duration,
    },
    /// The gateway ends.
    Stopping,
    /// It is alive.
    Alive,
    /// A start or an end goes on, and may take so much longer.
    Longer(Duration),
    /// How it is, in counts.
    Status(String),
}

impl Supervisor {
    /// Nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whoever listens at this address, a path or `@` with an abstract name, and wants to hear that often at least that
    /// the gateway is alive.
    pub fn at(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match address.as_bytes().split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            Some(_) | None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket: Some(socket), watchdog })
    }

    /// Whether anybody listens.
    pub fn listens(&self) -> bool {
        self.socket.is_some()
    }

    /// How often at least it wants to hear that the gateway is alive.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells all of it at once.
    pub fn tell(&self, messages: &[Message]) {
        let Some(socket) = self.socket.as_ref().filter(|_| !messages.is_empty()) else { return };
        let lines: Vec<_> = messages.iter().map(Message::line).collect();
        if let Err(error) = socket.send(lines.join("\n").as_bytes()) {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}

impl Message {
    fn line(&self) -> String {
        match self {
            Self::Ready => "READY=1".to_owned(),
            // One datagram holds both, as the newer form of the protocol asks for.
            Self::Reloading { since } => format!("RELOADING=1\nMONOTONIC_USEC={}", since.as_micros()),
            Self::Stopping => "STOPPING=1".to_owned(),
            Self::Alive => "WATCHDOG=1".to_owned(),
            Self::Longer(time) => format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()),
            Self::Status(text) => format!("STATUS={text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(messages: &[Message], expected: &str) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("bound");
        Supervisor::at(path.as_os_str(), None).expect("connected").tell(messages);
        let mut buffer = [0; 256];
        let bytes = manager.recv(&mut buffer).expect("told");
        assert_eq!(std::str::from_utf8(&buffer[..bytes]), Ok(expected));
    }

    #[test]
    fn messages_are_the_lines_of_the_protocol() {
        check(
            &[Message::Ready, Message::Status("taking notifications".into())],
            "READY=1\nSTATUS=taking notifications",
        );
        check(&[Message::Reloading { since: Duration::from_millis(7) }], "RELOADING=1\nMONOTONIC_USEC=7000");
        check(&[Message::Stopping], "STOPPING=1");
        check(&[Message::Alive, Message::Longer(Duration::from_secs(60))], "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=60000000");
    }

    #[test]
    fn abstract_address_is_reached() {
        let name = format!("studygate-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let manager = UnixDatagram::bind_addr(&address).expect("bound");
        Supervisor::at(OsStr::new(&format!("@{name}")), None).expect("connected").tell(&[Message::Ready]);
        let mut buffer = [0; 64];
        assert_eq!(manager.recv(&mut buffer).expect("told"), "READY=1".len());
    }

    #[test]
    fn telling_nobody_or_somebody_who_left_is_no_failure() {
        Supervisor::none().tell(&[Message::Ready]);
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("bound");
        let supervisor = Supervisor::at(path.as_os_str(), None).expect("connected");
        drop(manager);
        supervisor.tell(&[Message::Alive]);
    }
}
