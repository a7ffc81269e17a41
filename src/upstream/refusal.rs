//! Why a callback is not fetched: a closed set, each with a name for metrics and a sentence that quotes nothing.

use std::fmt;

/// Why a callback is not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refused {
    /// It is longer than 4096 characters.
    TooLong,
    /// It holds white space, a control character or a character outside ASCII.
    Characters,
    /// It is no URL with a host.
    NotAUrl,
    /// Its scheme is not https.
    NotHttps,
    /// It holds a user name or a password.
    UserInfo,
    /// It holds a fragment.
    Fragment,
    /// Its host is an IP address.
    Literal,
    /// Its host is not on the list.
    Host,
    /// Its port is not 443, or not the one on the list.
    Port,
    /// Its path is not plainly below `/wellness-api/rest/`.
    Path,
    /// It would have to be written otherwise to be sent.
    Spelling,
    /// Its host's name leads to an address that is not public.
    Address,
}

impl Refused {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Self; 12] = [
        Self::TooLong,
        Self::Characters,
        Self::NotAUrl,
        Self::NotHttps,
        Self::UserInfo,
        Self::Fragment,
        Self::Literal,
        Self::Host,
        Self::Port,
        Self::Path,
        Self::Spelling,
        Self::Address,
    ];

    /// The name in metrics and lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Characters => "characters",
            Self::NotAUrl => "not_a_url",
            Self::NotHttps => "not_https",
            Self::UserInfo => "user_info",
            Self::Fragment => "fragment",
            Self::Literal => "literal",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path",
            Self::Spelling => "spelling",
            Self::Address => "address",
        }
    }

    /// The reason with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refused| refused.name() == name)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the callback URL has more than 4096 characters",
            Self::Characters => "the callback URL holds white space, control characters or characters outside ASCII",
            Self::NotAUrl => "the callback is no URL",
            Self::NotHttps => "the callback URL is not https",
            Self::UserInfo => "the callback URL holds a user name or a password",
            Self::Fragment => "the callback URL holds a fragment",
            Self::Literal => "the callback URL names an IP address in the place of a host",
            Self::Host => "the callback URL's host is not in pull.hosts; add it there if it is Garmin's",
            Self::Port => "the callback URL names a port other than the one that pull.hosts allows",
            Self::Path => "the callback URL's path is not plainly below /wellness-api/rest/",
            Self::Spelling => "the callback URL is written in a way that no client would send it",
            Self::Address => "the callback's host leads to an address that is not public; check the site's name server",
        })
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_name() {
        for refused in Refused::ALL {
            assert_eq!(Refused::parse(refused.name()), Some(refused));
        }
        assert_eq!(Refused::parse("other"), None);
    }
}
