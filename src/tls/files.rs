//! A certificate chain and its key as PEM files, checked against each other and against the time.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use crate::model::time::UnixSeconds;

/// Where the two files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key of the first certificate.
    pub private_key: PathBuf,
}

/// A certificate chain with its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What rustls serves.
    pub certified: Arc<CertifiedKey>,
    /// The first second it is valid.
    pub not_before: UnixSeconds,
    /// The last second it is valid.
    pub not_after: UnixSeconds,
}

/// Why the files cannot be used.
#[derive(Debug)]
pub enum Error {
    /// A file is missing.
    Missing(PathBuf),
    /// A file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// There is no certificate in the certificate file.
    NoCertificate(PathBuf),
    /// A certificate cannot be understood.
    BadCertificate(PathBuf),
    /// There is no private key in the key file.
    NoKey(PathBuf),
    /// The key is of a kind that is not supported.
    UnsupportedKey(PathBuf),
    /// The key belongs to another certificate.
    KeyMismatch(Files),
}

/// What is wrong with an identity that can be served all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Nothing.
    Valid,
    /// It ended.
    Expired(UnixSeconds),
    /// It has not begun.
    NotYet(UnixSeconds),
}

impl Identity {
    /// Reads both files and checks that they belong together.
    pub fn load(files: &Files) -> Result<Self, Error> {
        let chain = read_chain(&files.certificate)?;
        let key = read_key(&files.private_key)?;
        let (not_before, not_after) =
            validity(&chain[0]).ok_or_else(|| Error::BadCertificate(files.certificate.clone()))?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| {
            if matches!(error, rustls::Error::InconsistentKeys(_)) {
                Error::KeyMismatch(files.clone())
            } else if matches!(error, rustls::Error::InvalidCertificate(_)) {
                Error::BadCertificate(files.certificate.clone())
            } else {
                Error::UnsupportedKey(files.private_key.clone())
            }
        })?;
        Ok(Self { certified: Arc::new(certified), not_before, not_after })
    }

    /// Whether it is valid at this time.
    pub fn validity(&self, now: UnixSeconds) -> Validity {
        if now > self.not_after {
            Validity::Expired(self.not_after)
        } else if now < self.not_before {
            Validity::NotYet(self.not_before)
        } else {
            Validity::Valid
        }
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(Error::NoCertificate(path.to_owned())),
        Ok(chain) => Ok(chain),
        Err(_) => Err(Error::BadCertificate(path.to_owned())),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let text = zeroize::Zeroizing::new(read(path)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| Error::NoKey(path.to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            Error::Missing(path.to_owned())
        } else {
            Error::Unreadable(path.to_owned(), error)
        }
    })
}

fn validity(certificate: &CertificateDer<'_>) -> Option<(UnixSeconds, UnixSeconds)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let validity = parsed.validity();
    Some((UnixSeconds(validity.not_before.timestamp()), UnixSeconds(validity.not_after.timestamp())))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => {
                write!(
                    f,
                    "there is no file {}: put the PEM file there, or set its section's path to where it is",
                    path.display()
                )
            }
            Self::Unreadable(path, cause) => {
                write!(f, "cannot read {}: {cause}; let the gateway's user read it", path.display())
            }
            Self::NoCertificate(path) => {
                write!(f, "{} holds no certificate: it must be a PEM chain, the server's own first", path.display())
            }
            Self::BadCertificate(path) => {
                write!(f, "a certificate in {} cannot be understood: have it issued again as PEM", path.display())
            }
            Self::NoKey(path) => {
                write!(f, "{} holds no private key: it must be an unencrypted PEM key", path.display())
            }
            Self::UnsupportedKey(path) => {
                write!(f, "the key in {} is of no supported kind: use ECDSA P-256, Ed25519 or RSA", path.display())
            }
            Self::KeyMismatch(files) => write!(
                f,
                "the key in {} does not belong to the first certificate in {}: set the pair that was issued together",
                files.private_key.display(),
                files.certificate.display()
            ),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.write_str("the certificate is valid"),
            Self::Expired(end) => write!(f, "the certificate ended at {end}: renew it, senders refuse it"),
            Self::NotYet(start) => write!(f, "the certificate begins at {start}: check the clock"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::generate;

    const NOW: UnixSeconds = UnixSeconds(1_793_509_200);

    fn folder() -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().expect("a folder");
        let files = Files { certificate: dir.path().join("c.pem"), private_key: dir.path().join("k.pem") };
        let made = generate::self_signed(&["localhost".to_owned()], NOW, 10).expect("made");
        fs::write(&files.certificate, &made.certificate).expect("written");
        fs::write(&files.private_key, &*made.private_key).expect("written");
        (dir, files)
    }

    fn sentence(files: &Files) -> String {
        Identity::load(files).expect_err("refused").to_string()
    }

    #[test]
    fn pair_that_belongs_together_loads_with_its_end() {
        let (_dir, files) = folder();
        let identity = Identity::load(&files).expect("loads");
        assert_eq!(identity.not_after.date(), NOW.plus(10 * 86_400).date());
        assert_eq!(identity.validity(NOW.plus(86_400)), Validity::Valid);
        assert_eq!(identity.validity(identity.not_after.plus(1)), Validity::Expired(identity.not_after));
        assert_eq!(identity.validity(identity.not_before.plus(-1)), Validity::NotYet(identity.not_before));
    }

    #[test]
    fn each_fault_has_a_sentence_that_names_the_file_and_the_remedy() {
        let (_dir, files) = folder();
        let good = fs::read(&files.certificate).expect("read");
        fs::remove_file(&files.certificate).expect("removed");
        assert!(sentence(&files).starts_with("there is no file "));
        fs::write(&files.certificate, "no PEM at all").expect("written");
        assert!(sentence(&files).contains("holds no certificate"));
        fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .expect("written");
        assert!(sentence(&files).contains("cannot be understood"));
        fs::write(&files.certificate, good).expect("written");
        fs::write(&files.private_key, "").expect("written");
        assert!(sentence(&files).contains("holds no private key"));
        let other = generate::self_signed(&["localhost".to_owned()], NOW, 10).expect("made");
        fs::write(&files.private_key, &*other.private_key).expect("written");
        assert!(sentence(&files).contains("does not belong to the first certificate"));
        fs::remove_file(&files.private_key).expect("removed");
        fs::create_dir(&files.private_key).expect("made");
        assert!(sentence(&files).starts_with("cannot read "));
    }
}
