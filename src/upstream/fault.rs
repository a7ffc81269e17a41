//! How a fetch fails: a closed set that carries neither a URL nor the text of a cause.

use std::{error::Error, fmt, io};

use crate::upstream::refusal::Refused;

/// How a fetch fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It was not tried.
    Refused(Refused),
    /// No connection came about, or the proxy would not make one; the request was not sent.
    Unreachable,
    /// The server did not prove to be the host, or spoke no TLS; the request was not sent.
    Tls,
    /// The head or the next piece of the body took too long; the server may have seen the request.
    TimedOut,
    /// The answer was cut short or is no HTTP; the server may have seen the request.
    Broken,
    /// The body is in a coding that was not asked for.
    Coded,
}

impl Fault {
    /// The name in metrics and lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused(refused) => refused.name(),
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::Coded => "coded",
        }
    }

    /// What an error of the client is.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        if let Some(refused) = cause::<Refused>(error) {
            Self::Refused(*refused)
        } else if error.is_connect() {
            // Nothing was asked for, however long it took.
            if cause::<rustls::Error>(error).is_some() { Self::Tls } else { Self::Unreachable }
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Broken
        }
    }
}

/// The first cause of this kind. An [`io::Error`] gives what it wraps no place among its sources, so that is looked for
/// in there.
fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Unreachable => {
                f.write_str("no connection to the callback's host: check the network, the name server and pull.proxy")
            }
            Self::Tls => f.write_str(
                "the callback's host did not prove who it is: check pull.ca_file, if the site inspects its traffic",
            ),
            Self::TimedOut => f.write_str("the callback's host took too long to answer"),
            Self::Broken => f.write_str("the callback's answer was cut short or is no HTTP"),
            Self::Coded => f.write_str("the callback's answer came in a coding that was not asked for"),
        }
    }
}

impl Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cause_is_found_behind_errors_of_io() {
        let error = io::Error::other(io::Error::other(Refused::Address));
        assert_eq!(cause::<Refused>(&error), Some(&Refused::Address));
        assert!(cause::<rustls::Error>(&error).is_none());
    }
}
