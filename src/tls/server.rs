//! The server's side: a certificate that is exchanged while connections go on, and the protocol settings.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use crate::tls::files::{Error, Files, Identity};

/// The certificate in use; exchanged when its files are read again.
#[derive(Debug)]
pub struct Certificate {
    files: Files,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    identity: Identity,
    stamp: Stamp,
}

/// What tells one version of the two files from another.
type Stamp = [Option<(u64, u64, i64, i64)>; 2];

impl Certificate {
    /// Reads the files for the first time.
    pub fn load(files: Files) -> Result<Arc<Self>, Error> {
        let stamp = stamp(&files);
        let identity = Identity::load(&files)?;
        Ok(Arc::new(Self { files, current: RwLock::new(Current { identity, stamp }) }))
    }

    /// Reads the files again. Where that fails, the certificate in use stays.
    pub fn reload(&self) -> Result<Identity, Error> {
        let stamp = stamp(&self.files);
        let loaded = Identity::load(&self.files);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.stamp = stamp;
        current.identity = loaded?;
        Ok(current.identity.clone())
    }

    /// Whether the files have changed since they were read last, with success or without.
    pub fn is_stale(&self) -> bool {
        self.current.read().unwrap_or_else(PoisonError::into_inner).stamp != stamp(&self.files)
    }

    /// The certificate in use.
    pub fn identity(&self) -> Identity {
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
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Arc::new(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).identity.certified))
    }
}

fn stamp(files: &Files) -> Stamp {
    let of =
        |path: &Path| fs::metadata(path).ok().map(|meta| (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()));
    [of(&files.certificate), of(&files.private_key)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UnixSeconds;
    use crate::tls::generate;

    fn write_pair(files: &Files, days: u16) {
        let made = generate::self_signed(&["localhost".to_owned()], UnixSeconds(1_793_509_200), days).expect("made");
        fs::write(&files.certificate, &made.certificate).expect("written");
        fs::write(&files.private_key, &*made.private_key).expect("written");
    }

    #[test]
    fn changed_files_are_noticed_and_served_after_a_reload() {
        let dir = tempfile::tempdir().expect("a folder");
        let files = Files { certificate: dir.path().join("c.pem"), private_key: dir.path().join("k.pem") };
        write_pair(&files, 10);
        let certificate = Certificate::load(files.clone()).expect("loads");
        assert!(!certificate.is_stale());
        let before = certificate.identity().not_after;
        fs::remove_file(&files.certificate).expect("removed");
        write_pair(&files, 20);
        assert!(certificate.is_stale());
        certificate.reload().expect("reloads");
        assert!(!certificate.is_stale());
        assert_eq!(certificate.identity().not_after, before.plus(10 * 86_400));
    }

    #[test]
    fn broken_files_leave_the_certificate_in_use() {
        let dir = tempfile::tempdir().expect("a folder");
        let files = Files { certificate: dir.path().join("c.pem"), private_key: dir.path().join("k.pem") };
        write_pair(&files, 10);
        let certificate = Certificate::load(files.clone()).expect("loads");
        let before = certificate.identity().not_after;
        fs::write(&files.private_key, "gone").expect("written");
        assert!(certificate.reload().is_err());
        assert_eq!(certificate.identity().not_after, before);
        assert!(!certificate.is_stale(), "the same broken files are not read again and again");
        write_pair(&files, 20);
        assert!(certificate.is_stale());
    }
}
