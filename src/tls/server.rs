//! The server's side: a certificate that is exchanged while connections go on, and the protocol settings.
//!
//! A certificate comes from files, which are read again when they change, or is given by whoever orders it from an
//! authority. Without one, a handshake ends with an alert.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use crate::model::time::UnixSeconds;
use crate::tls::{
    challenge,
    files::{Error, Files, Identity, Validity},
    stamp::Stamp,
};

/// How long files that cannot be used are left to become whole before that is told, in seconds: certificate and key are
/// seldom replaced at one moment.
const SETTLE_S: i64 = 10;

/// The certificate in use.
#[derive(Debug)]
pub struct Certificate {
    source: Source,
    current: RwLock<Current>,
    challenges: RwLock<BTreeMap<String, Arc<CertifiedKey>>>,
}

#[derive(Debug)]
enum Source {
    Files(Files),
    Ordered,
}

#[derive(Debug, Default)]
struct Current {
    identity: Option<Identity>,
    reading: Reading,
    outlook: Outlook,
}

/// How the last reading of the files went.
#[derive(Debug, Default)]
struct Reading {
    stamp: Option<Stamp>,
    /// Since when they cannot be used.
    failing: Option<UnixSeconds>,
    /// When to read them again though they have not changed.
    again: Option<UnixSeconds>,
}

/// What reading the files again led to.
#[derive(Debug)]
pub enum Reloaded {
    /// Another certificate is in use from here on.
    Changed(Identity),
    /// They say what they said.
    Same,
    /// They cannot be used as they are, but perhaps they are still being written; the old certificate stays.
    Settling,
    /// They cannot be used; the old certificate stays.
    Refused(Refused),
}

/// Why files that were read again are not used.
#[derive(Debug)]
pub enum Refused {
    /// They cannot be used at all.
    Unusable(Error),
    /// Their certificate is not valid, and the one in use is.
    Untimely(Validity),
}

/// Whether files that change are given time to become whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// They are looked at because they changed.
    None,
    /// A person asked for it.
    Asked,
}

/// What is to be expected of a certificate that is ordered from an authority; told by whoever orders it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// When the next one is ordered.
    pub renews_at: Option<UnixSeconds>,
    /// Why the last attempt failed, and when; `None` once one succeeded.
    pub failed: Option<(UnixSeconds, String)>,
}

impl Certificate {
    /// Reads the files for the first time.
    pub fn load(files: Files) -> Result<Arc<Self>, Error> {
        let reading = Reading { stamp: Some(Stamp::of(&files)), ..Reading::default() };
        let identity = Some(Identity::load(&files)?);
        let current = Current { identity, reading, outlook: Outlook::default() };
        Ok(Self::of(Source::Files(files), current))
    }

    /// One that is ordered from an authority; there is none until it is [given](Self::give).
    pub fn ordered() -> Arc<Self> {
        Self::of(Source::Ordered, Current::default())
    }

    fn of(source: Source, current: Current) -> Arc<Self> {
        Arc::new(Self { source, current: RwLock::new(current), challenges: RwLock::default() })
    }

    /// Where it comes from, as status shows it: `files` or `acme`.
    pub fn source(&self) -> &'static str {
        match self.source {
            Source::Files(_) => "files",
            Source::Ordered => "acme",
        }
    }

    /// From here on this one is shown to whoever connects.
    pub fn give(&self, identity: Identity) {
        self.current.write().unwrap_or_else(PoisonError::into_inner).identity = Some(identity);
    }

    /// From here on this is to be expected.
    pub fn expect(&self, outlook: Outlook) {
        self.current.write().unwrap_or_else(PoisonError::into_inner).outlook = outlook;
    }

    /// What is to be expected of it.
    pub fn outlook(&self) -> Outlook {
        self.current.read().unwrap_or_else(PoisonError::into_inner).outlook.clone()
    }

    /// The authority that asks for proof of this name is shown this.
    pub fn challenge(&self, name: &str, certified: Arc<CertifiedKey>) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_ascii_lowercase(), certified);
    }

    /// No authority is expected any more.
    pub fn end_challenges(&self) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Reads the files again. Where they cannot be used, the certificate in use stays.
    pub fn reload(&self, now: UnixSeconds, haste: Haste) -> Reloaded {
        let Source::Files(files) = &self.source else { return Reloaded::Same };
        // What changes while it is read is read again.
        let stamp = Stamp::of(files);
        let loaded = Identity::load(files);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let Current { identity, reading, .. } = &mut *current;
        reading.stamp = Some(stamp);
        let refused = match loaded {
            Ok(new) if identity.as_ref().is_some_and(|old| old.is_same(&new)) => {
                (reading.failing, reading.again) = (None, None);
                return Reloaded::Same;
            }
            Ok(new) => match (new.validity(now), identity.as_ref().map(|old| old.validity(now))) {
                (wrong @ (Validity::Expired(_) | Validity::NotYet(_)), Some(Validity::Valid)) => {
                    reading.again = (wrong == Validity::NotYet(new.not_before)).then_some(new.not_before);
                    Refused::Untimely(wrong)
                }
                _ => {
                    (reading.failing, reading.again) = (None, None);
                    *identity = Some(new.clone());
                    return Reloaded::Changed(new);
                }
            },
            Err(error) => {
                let since = *reading.failing.get_or_insert(now);
                if haste == Haste::None && now < since.plus(SETTLE_S) {
                    reading.again = Some(since.plus(SETTLE_S));
                    return Reloaded::Settling;
                }
                reading.again = None;
                Refused::Unusable(error)
            }
        };
        Reloaded::Refused(refused)
    }

    /// Whether the files have changed since they were read last, with success or without, or are to be read again.
    pub fn is_stale(&self, now: UnixSeconds) -> bool {
        let Source::Files(files) = &self.source else { return false };
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.reading.stamp != Some(Stamp::of(files)) || current.reading.again.is_some_and(|again| again <= now)
    }

    /// The certificate in use; `None` where there is none yet.
    pub fn identity(&self) -> Option<Identity> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).identity.clone()
    }

    /// The protocol settings with this certificate: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, neither tickets nor
    /// resumption, so that no key outlives its connection.
    pub fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("ring has cipher suites for both versions")
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if matches!(self.source, Source::Ordered) {
            config.alpn_protocols.push(challenge::PROTOCOL.to_vec());
        }
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Arc::new(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // An authority offers its protocol and no other (RFC 8737 §3).
        if hello.alpn().is_some_and(|offered| offered.eq([challenge::PROTOCOL])) {
            let name = hello.server_name()?.to_ascii_lowercase();
            return self.challenges.read().unwrap_or_else(PoisonError::into_inner).get(&name).map(Arc::clone);
        }
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current.identity.as_ref()?.certified))
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unusable(error) => error.fmt(f),
            Self::Untimely(wrong) => wrong.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests;
