//! A certificate chain and its key as PEM files, checked against each other and against the time.

use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use zeroize::Zeroizing;

use crate::model::time::UnixSeconds;
use crate::tls::chain::{self, Asked, Finding, Weight};

/// Everybody, who is neither the file's owner nor of its group.
const OTHERS: u32 = 0o007;

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
    /// Whether everybody on this machine may read the key's file.
    key_exposed: bool,
}

/// Why the files cannot be used.
#[derive(Debug)]
pub enum Error {
    /// A file is missing.
    Missing(PathBuf),
    /// A file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// There is nothing in a file.
    Empty(PathBuf),
    /// A file is binary (DER or PKCS#12).
    Binary(PathBuf),
    /// There is no certificate in the certificate file.
    NoCertificate(PathBuf),
    /// A certificate cannot be understood.
    BadCertificate(PathBuf),
    /// There is no private key in the key file.
    NoKey(PathBuf),
    /// The key is encrypted.
    EncryptedKey(PathBuf),
    /// The key is of a kind that is not supported.
    UnsupportedKey(PathBuf),
    /// The key belongs to another certificate.
    KeyMismatch(Files),
    /// The key belongs to a certificate of the chain that is not the first.
    KeyOfAnother(Files),
    /// The chain is not to be used for this reason.
    Chain(PathBuf, Finding),
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
        let mode = fs::metadata(&files.private_key).map_or(0, |meta| meta.permissions().mode());
        Self::of(chain, key, files).map(|identity| Self { key_exposed: mode & OTHERS != 0, ..identity })
    }

    /// The same of texts in PEM that are in no file.
    pub fn of_pem(chain: &str, key: &str) -> Result<Self, Error> {
        let files = Files { certificate: "the certificate".into(), private_key: "the private key".into() };
        let chain = parse_chain(chain.as_bytes(), &files.certificate)?;
        let key = parse_key(key.as_bytes(), &files.private_key)?;
        Self::of(chain, key, &files)
    }

    fn of(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>, files: &Files) -> Result<Self, Error> {
        let bad = || Error::BadCertificate(files.certificate.clone());
        let (not_before, not_after) = chain::span(&chain).ok_or_else(bad)?;
        let asked = Asked { now: not_before, names: &[], anchors: None };
        let refused = chain::findings(&chain, &asked).into_iter().find(|found| found.weight() == Weight::Refused);
        // A weak key is one that ring does not sign with; that it is weak says more.
        if let Some(weak @ Finding::WeakKey(_)) = refused {
            return Err(Error::Chain(files.certificate.clone(), weak));
        }
        let provider = ring::default_provider();
        let signing = provider.key_provider.load_private_key(key);
        let signing = signing.map_err(|_| Error::UnsupportedKey(files.private_key.clone()))?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            // A signer that does not tell its public key cannot be held against the certificate.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                let another =
                    certified.cert.iter().skip(1).any(|one| {
                        CertifiedKey::new(vec![one.clone()], Arc::clone(&certified.key)).keys_match().is_ok()
                    });
                let files = files.clone();
                return Err(if another { Error::KeyOfAnother(files) } else { Error::KeyMismatch(files) });
            }
            Err(_) => return Err(bad()),
        }
        match refused {
            Some(finding) => Err(Error::Chain(files.certificate.clone(), finding)),
            None => Ok(Self { certified: Arc::new(certified), not_before, not_after, key_exposed: false }),
        }
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

    /// What is to be said about it though it can be served.
    pub fn findings(&self, asked: &Asked<'_>) -> Vec<Finding> {
        let mut found = chain::findings(&self.certified.cert, asked);
        found.extend(self.key_exposed.then_some(Finding::KeyExposed));
        found
    }

    /// Whether both are the same certificate.
    pub fn is_same(&self, other: &Self) -> bool {
        self.certified.cert == other.certified.cert
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    parse_chain(&read(path)?, path)
}

fn parse_chain(text: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(Error::NoCertificate(path.to_owned())),
        Ok(chain) => Ok(chain),
        Err(_) => Err(Error::BadCertificate(path.to_owned())),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    parse_key(&Zeroizing::new(read(path)?), path)
}

fn parse_key(text: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let holds = |words: &[u8]| memchr::memmem::find(text, words).is_some();
    if holds(b"BEGIN ENCRYPTED PRIVATE KEY") || holds(b"Proc-Type: 4,ENCRYPTED") {
        return Err(Error::EncryptedKey(path.to_owned()));
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|_| Error::NoKey(path.to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            Error::Missing(path.to_owned())
        } else {
            Error::Unreadable(path.to_owned(), error)
        }
    })?;
    // Every form of DER that is meant here is a sequence, whose length takes more than one byte; no text begins so.
    let binary = matches!(bytes.as_slice(), [0x30, 0x80..=0x84, ..]);
    if bytes.trim_ascii().is_empty() {
        Err(Error::Empty(path.to_owned()))
    } else if binary {
        Err(Error::Binary(path.to_owned()))
    } else {
        Ok(bytes)
    }
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
            Self::Empty(path) => write!(f, "{} is empty: write the PEM text into it again", path.display()),
            Self::Binary(path) => write!(
                f,
                "{} is binary (DER or PKCS#12): turn it into PEM text, as `openssl x509`, `openssl pkey` or \
                 `openssl pkcs12` do",
                path.display()
            ),
            Self::NoCertificate(path) => {
                write!(f, "{} holds no certificate: it must be a PEM chain, the server's own first", path.display())
            }
            Self::BadCertificate(path) => {
                write!(f, "a certificate in {} cannot be understood: have it issued again as PEM", path.display())
            }
            Self::NoKey(path) => {
                write!(f, "{} holds no private key: it must be an unencrypted PEM key", path.display())
            }
            Self::EncryptedKey(path) => write!(
                f,
                "the key in {} is encrypted, and nobody is there to give its password at a start: write it without \
                 one, as `openssl pkey` does, into a file that only the gateway's user may read",
                path.display()
            ),
            Self::UnsupportedKey(path) => {
                write!(f, "the key in {} is of no supported kind: use ECDSA P-256, Ed25519 or RSA", path.display())
            }
            Self::KeyMismatch(files) => write!(
                f,
                "the key in {} does not belong to the first certificate in {}: set the pair that was issued together",
                files.private_key.display(),
                files.certificate.display()
            ),
            Self::KeyOfAnother(files) => write!(
                f,
                "the key in {} belongs to a certificate in {} that is not the first: put the server's own first",
                files.private_key.display(),
                files.certificate.display()
            ),
            Self::Chain(path, finding) => write!(f, "{}: {finding}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.write_str("the certificate is valid"),
            Self::Expired(end) => Finding::Expired(*end).fmt(f),
            Self::NotYet(begin) => Finding::NotYet(*begin).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
