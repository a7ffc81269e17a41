//! What is to be said about a certificate chain before anybody is shown it; pure, nothing is read or asked.
//!
//! Never: a signature trusted that was not checked (the way to a public authority is rustls' to verify).

use std::{fmt, net::IpAddr, time::Duration};

use rustls::{
    CertificateError, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
    server::ParsedCertificate,
};
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _, public_key::PublicKey, x509::X509Name,
};

use crate::model::time::UnixSeconds;

/// The least bits of an RSA key that clients accept.
pub const RSA_BITS_LEAST: usize = 2048;

/// What a chain is held against.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The time.
    pub now: UnixSeconds,
    /// Host names or addresses that the certificate must be for; empty where the site knows none.
    pub names: &'a [String],
    /// The authorities that clients trust; `None` where they are the site's own affair.
    pub anchors: Option<&'a RootCertStore>,
}

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A certificate cannot be understood.
    Unreadable,
    /// One stands before the one that it was signed by, but not right before it.
    OutOfOrder,
    /// The key is an RSA key of so few bits.
    WeakKey(usize),
    /// The first certificate ended.
    Expired(UnixSeconds),
    /// The first certificate has not begun.
    NotYet(UnixSeconds),
    /// An authority's certificate in the chain ended, or has not begun.
    AuthorityUntimely,
    /// It is for no name at all; what stands in the common name is ignored by clients.
    NoNames,
    /// It is not for this name.
    NameMissing(String),
    /// It is not meant for servers.
    NotForServers,
    /// A certificate has nothing to do with the first one.
    Stray,
    /// It signs itself.
    SelfSigned,
    /// It leads to no authority that clients know.
    Untrusted,
    /// Others than its owner and its group may read the file of the private key.
    KeyExposed,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Clients may do without.
    Warned,
    /// Senders refuse it at this time; another time may be better.
    Untimely,
    /// It is not used.
    Refused,
}

impl Finding {
    /// How much it weighs.
    pub const fn weight(&self) -> Weight {
        match self {
            Self::Unreadable | Self::OutOfOrder | Self::WeakKey(_) => Weight::Refused,
            Self::Expired(_) | Self::NotYet(_) => Weight::Untimely,
            Self::AuthorityUntimely
            | Self::NoNames
            | Self::NameMissing(_)
            | Self::NotForServers
            | Self::Stray
            | Self::SelfSigned
            | Self::Untrusted
            | Self::KeyExposed => Weight::Warned,
        }
    }
}

/// The authorities whom the public trusts, and Garmin with it.
pub fn public_anchors() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// Everything that is wrong with a chain, the server's own certificate first; what weighs most stands first.
pub fn findings(chain: &[CertificateDer<'_>], asked: &Asked<'_>) -> Vec<Finding> {
    let parsed: Option<Vec<_>> = chain.iter().map(|der| Some(X509Certificate::from_der(der).ok()?.1)).collect();
    let Some((leaf, above)) = parsed.as_deref().and_then(<[_]>::split_first) else { return vec![Finding::Unreadable] };
    let mut found = Vec::new();
    found.extend(order(leaf, above));
    found.extend(weak_key(leaf));
    let (begin, end) = validity(leaf);
    if asked.now > end {
        found.push(Finding::Expired(end));
    } else if asked.now < begin {
        found.push(Finding::NotYet(begin));
    }
    let untimely = |one: &X509Certificate<'_>| {
        let (begin, end) = validity(one);
        asked.now < begin || end < asked.now
    };
    if above.iter().any(untimely) {
        found.push(Finding::AuthorityUntimely);
    }
    found.extend(missing_names(leaf, asked.names));
    let for_servers = |found: &X509Certificate<'_>| {
        found.extended_key_usage().ok().flatten().is_none_or(|usage| usage.value.server_auth || usage.value.any)
    };
    if !for_servers(leaf) {
        found.push(Finding::NotForServers);
    }
    if is_self_signed(leaf) {
        found.push(Finding::SelfSigned);
    } else if asked.anchors.is_some_and(|anchors| !leads_to(anchors, chain, (begin, end), asked.now)) {
        found.push(Finding::Untrusted);
    }
    found
}

/// The first and the last second of the first certificate; `None` where it cannot be understood.
pub fn span(chain: &[CertificateDer<'_>]) -> Option<(UnixSeconds, UnixSeconds)> {
    let (_, leaf) = X509Certificate::from_der(chain.first()?).ok()?;
    Some(validity(&leaf))
}

/// Where each certificate is to be signed by the next, whether one is not though another of them signed it, or one is
/// signed by none and signs none.
fn order(leaf: &X509Certificate<'_>, above: &[X509Certificate<'_>]) -> Option<Finding> {
    let mut current = leaf;
    for next in above {
        if !signs(next, current) {
            let elsewhere = std::iter::once(leaf).chain(above).any(|one| !is_self_signed(one) && signs(one, current));
            return Some(if elsewhere { Finding::OutOfOrder } else { Finding::Stray });
        }
        current = next;
    }
    None
}

/// Whether a certificate names another as its authority; the signature is not checked.
fn signs(authority: &X509Certificate<'_>, signed: &X509Certificate<'_>) -> bool {
    same(authority.subject(), signed.issuer())
}

fn is_self_signed(certificate: &X509Certificate<'_>) -> bool {
    same(certificate.subject(), certificate.issuer())
}

fn same(one: &X509Name<'_>, other: &X509Name<'_>) -> bool {
    one.as_raw() == other.as_raw()
}

fn weak_key(leaf: &X509Certificate<'_>) -> Option<Finding> {
    let bits = match leaf.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => key.key_size(),
        _ => return None,
    };
    (bits < RSA_BITS_LEAST).then_some(Finding::WeakKey(bits))
}

fn validity(certificate: &X509Certificate<'_>) -> (UnixSeconds, UnixSeconds) {
    let validity = certificate.validity();
    (UnixSeconds(validity.not_before.timestamp()), UnixSeconds(validity.not_after.timestamp()))
}

fn missing_names(leaf: &X509Certificate<'_>, asked: &[String]) -> Vec<Finding> {
    let extension = leaf.subject_alternative_name().ok().flatten();
    let names = extension.as_ref().map(|found| found.value.general_names.as_slice()).unwrap_or_default();
    if !names.iter().any(|name| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_))) {
        return vec![Finding::NoNames];
    }
    let missing = asked.iter().filter(|wanted| !names.iter().any(|name| covers(name, wanted)));
    missing.map(|name| Finding::NameMissing(name.clone())).collect()
}

/// Whether a name of a certificate is for this host; a `*` stands for one label, the first.
fn covers(name: &GeneralName<'_>, wanted: &str) -> bool {
    match (name, wanted.parse::<IpAddr>()) {
        (GeneralName::IPAddress(bytes), Ok(IpAddr::V4(address))) => *bytes == address.octets(),
        (GeneralName::IPAddress(bytes), Ok(IpAddr::V6(address))) => *bytes == address.octets(),
        (GeneralName::DNSName(name), Err(_)) => {
            let below =
                |domain: &str| wanted.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain));
            name.eq_ignore_ascii_case(wanted) || name.strip_prefix("*.").is_some_and(below)
        }
        _ => false,
    }
}

/// Whether the chain leads to one of these authorities. A chain that is past its time is asked about as it was within.
fn leads_to(
    anchors: &RootCertStore,
    chain: &[CertificateDer<'_>],
    (begin, end): (UnixSeconds, UnixSeconds),
    now: UnixSeconds,
) -> bool {
    let Some((leaf, above)) = chain.split_first() else { return false };
    let Ok(leaf) = ParsedCertificate::try_from(leaf) else { return false };
    let at = now.0.clamp(begin.0, end.0.max(begin.0));
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap_or(0)));
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let verified = verify_server_cert_signed_by_trust_anchor(&leaf, anchors, above, at, algorithms);
    !matches!(
        verified,
        Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature))
    )
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("a certificate cannot be understood: have it issued again"),
            Self::OutOfOrder => f.write_str(
                "the certificates stand in the wrong order: put the server's own first, and below each the one that \
                 signed it",
            ),
            Self::WeakKey(bits) => write!(
                f,
                "the key is an RSA key of {bits} bits, which clients refuse: use ECDSA P-256 or RSA with \
                 {RSA_BITS_LEAST} bits or more"
            ),
            Self::Expired(end) => write!(f, "the certificate ended at {end}: renew it, senders refuse it"),
            Self::NotYet(begin) => write!(f, "the certificate begins at {begin}: check the clock"),
            Self::AuthorityUntimely => f.write_str(
                "an authority's certificate in the chain ended or has not begun: take the chain that came with the \
                 certificate",
            ),
            Self::NoNames => f.write_str(
                "the certificate names no host as an alternative name, so clients refuse it: have it issued for the \
                 gateway's name",
            ),
            Self::NameMissing(name) => {
                write!(f, "the certificate is not for {name}: have it issued for that name, too")
            }
            Self::NotForServers => {
                f.write_str("the certificate is not meant for servers: have it issued for server authentication")
            }
            Self::Stray => f.write_str(
                "a certificate in the chain has nothing to do with the one before it: leave out what does not belong",
            ),
            Self::SelfSigned => f.write_str(
                "the certificate is signed by itself, which Garmin does not accept: have one issued by a public \
                 authority before the study begins",
            ),
            Self::Untrusted => f.write_str(
                "the chain leads to no authority that Garmin knows: append the authority's intermediate certificates, \
                 or have it issued by a public authority",
            ),
            Self::KeyExposed => {
                f.write_str("everybody on this machine may read the file of the private key: run `chmod o-rwx` on it")
            }
        }
    }
}

#[cfg(test)]
mod tests;
