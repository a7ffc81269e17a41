//! Why an attempt failed: a closed set, each with a sentence that quotes nothing of an answer.

use std::fmt;

use crate::telemetry::acme::AcmeResult;
use crate::upstream::fault::Fault as WayOut;
use crate::upstream::refusal::Refused;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The authority was not reached, or broke off.
    Way(WayOut),
    /// It asks to wait.
    Limited,
    /// It has a fault of its own, with this status.
    Unavailable(u16),
    /// Its answer is not what the protocol says.
    Malformed,
    /// It refuses for this reason.
    Refused(Problem),
    /// It could not see that the gateway answers for this name.
    Unproven(String, Problem),
    /// It does not offer to look by TLS-ALPN-01.
    NoChallenge(String),
    /// It takes too long.
    Slow,
    /// What it issued cannot be used, for this reason.
    Unfit(String),
    /// The state cannot be written or read.
    Storage,
}

/// Why an authority refuses; RFC 8555 §6.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The account is not there.
    NoAccount,
    /// The account needs to be bound to another.
    ExternalAccount,
    /// A record of the name's zone names other authorities alone.
    Caa,
    /// The name's address does not answer.
    Connection,
    /// The name has no address.
    Dns,
    /// Something else answered.
    WrongAnswer,
    /// The handshake failed.
    Handshake,
    /// The contact is refused.
    Contact,
    /// The name is refused.
    Name,
    /// The terms of service have changed.
    Terms,
    /// It did not take one nonce after the other; nothing was done.
    Nonce,
    /// The request was refused as such; a state of another time may be why.
    Request,
    /// The account may not do that.
    Unauthorized,
    /// Any other.
    Other,
}

impl Problem {
    /// The problem of this type.
    pub fn of(kind: Option<&str>) -> Self {
        match kind.and_then(|kind| kind.rsplit(':').next()).unwrap_or_default() {
            "accountDoesNotExist" => Self::NoAccount,
            "externalAccountRequired" => Self::ExternalAccount,
            "caa" => Self::Caa,
            "connection" => Self::Connection,
            "dns" => Self::Dns,
            "incorrectResponse" => Self::WrongAnswer,
            "tls" => Self::Handshake,
            "invalidContact" | "unsupportedContact" => Self::Contact,
            "rejectedIdentifier" | "unsupportedIdentifier" => Self::Name,
            "userActionRequired" => Self::Terms,
            "badNonce" => Self::Nonce,
            "malformed" | "orderNotReady" | "badCSR" => Self::Request,
            "unauthorized" => Self::Unauthorized,
            _ => Self::Other,
        }
    }
}

impl Fault {
    /// Its label.
    pub const fn result(&self) -> AcmeResult {
        match self {
            Self::Way(_) => AcmeResult::Unreachable,
            Self::Limited => AcmeResult::Limited,
            Self::Unavailable(_) | Self::Malformed | Self::Slow => AcmeResult::Unavailable,
            Self::Refused(_) | Self::NoChallenge(_) => AcmeResult::Refused,
            Self::Unproven(..) => AcmeResult::Unproven,
            Self::Unfit(_) => AcmeResult::Unfit,
            Self::Storage => AcmeResult::NotStored,
        }
    }

    /// Whether the authority was asked for nothing, so that to ask again soon costs it nothing.
    pub const fn is_free(&self) -> bool {
        match self {
            Self::Way(fault) => matches!(fault, WayOut::Unreachable | WayOut::Tls),
            Self::Storage | Self::Refused(Problem::Nonce) => true,
            Self::Limited
            | Self::Unavailable(_)
            | Self::Malformed
            | Self::Refused(_)
            | Self::Unproven(..)
            | Self::NoChallenge(_)
            | Self::Slow
            | Self::Unfit(_) => false,
        }
    }

    /// Whether the order that is under way may still come to something.
    pub const fn leaves_order(&self) -> bool {
        match self {
            Self::Way(_) | Self::Limited | Self::Unavailable(_) | Self::Malformed | Self::Slow | Self::Storage => true,
            Self::Refused(Problem::Nonce) => true,
            Self::Refused(_) | Self::Unproven(..) | Self::NoChallenge(_) | Self::Unfit(_) => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Way(way) => f.write_str(way_out(*way)),
            Self::Limited => {
                f.write_str("the authority asks to wait, since it was asked too often: nothing is to be done")
            }
            Self::Unavailable(status) => {
                write!(f, "the authority has a fault of its own (status {status}): it is asked again later")
            }
            Self::Malformed => f.write_str(
                "the authority's answer is not what the protocol says: check that ingress.acme.directory is an ACME \
                 directory",
            ),
            Self::Refused(problem) => write!(f, "the authority refuses: {problem}"),
            Self::Unproven(domain, problem) => {
                write!(f, "the authority could not see that this gateway answers for {domain}: {problem}")
            }
            Self::NoChallenge(domain) => write!(
                f,
                "the authority does not offer the challenge tls-alpn-01 for {domain}: name another in \
                 ingress.acme.directory, or certificate files in [ingress.tls]"
            ),
            Self::Slow => f.write_str("the authority takes too long over an order: it is asked again later"),
            Self::Unfit(why) => write!(f, "the certificate that was issued cannot be used: {why}"),
            Self::Storage => f.write_str("the state of the order cannot be written: check the disk of data_dir"),
        }
    }
}

fn way_out(fault: WayOut) -> &'static str {
    match fault {
        WayOut::Unreachable => {
            "no connection to the authority: check the network, the name server, pull.proxy and ingress.acme.directory"
        }
        WayOut::Tls => {
            "the authority's host did not prove who it is: a private authority's own certificate belongs into pull.ca_file"
        }
        WayOut::TimedOut => "the authority took too long to answer: it is asked again later",
        WayOut::Broken | WayOut::Coded => "the authority's answer was cut short, too long or no HTTP",
        WayOut::Refused(Refused::Host) => {
            "the authority sends the gateway to another host or port than that of ingress.acme.directory, where it does \
             not go: name the directory at that host"
        }
        WayOut::Refused(_) => "the authority's address cannot be used: check ingress.acme.directory and pull.proxy",
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAccount => "it does not know the account; another is made",
            Self::ExternalAccount => "it asks for an account that is bound to another, which is not part of this version",
            Self::Caa => "the CAA record of the name does not allow this authority; have it added",
            Self::Connection => {
                "nothing answers at the name's address on port 443; check the DNS record, the firewall and the port that \
                 ingress.listen has from outside"
            }
            Self::Dns => "the name has no address that it can find; check its DNS records",
            Self::WrongAnswer | Self::Unauthorized => {
                "something else answers at the name's address; check the DNS record, and that no proxy or load balancer \
                 ends TLS before the gateway"
            }
            Self::Handshake => {
                "TLS with the name's address fails; check that nothing before the gateway ends TLS or drops the protocol \
                 acme-tls/1"
            }
            Self::Contact => "it does not take the address in ingress.acme.contact; set another or none",
            Self::Name => "it does not certify such a name; check ingress.acme.domains",
            Self::Terms => "its terms of service have changed and want to be agreed to on its site",
            Self::Nonce => "it did not take several nonces of its own; it is asked again soon",
            Self::Request => "it does not take the request as it stands; the order is begun anew",
            Self::Other => "it gives a reason that this version does not know",
        })
    }
}

impl std::error::Error for Fault {}
