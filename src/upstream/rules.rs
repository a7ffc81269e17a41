//! Where callbacks may lead: decided from the URL's text alone, with the parser of the client that will fetch it.
//!
//! A URL passes only if it stands already as it would be sent. So nothing that a parser forgives, normalises or
//! decodes can make the text that is vetted differ from the request that leaves.

use std::fmt;

use hyper::Uri;
use reqwest::Url;

use crate::upstream::refusal::Refused;

/// The longest URL that is looked at.
const URL_MAX: usize = 4096;
/// What every callback's path begins with (`garmin/README.md` §2 and §7).
const PATH_PREFIX: &str = "/wellness-api/rest/";
const SCHEME: &str = "https://";

/// Where callbacks may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `host`, or `host:port`, as a vetted URL shows them.
    hosts: Vec<String>,
    allow_private: bool,
}

/// A callback URL that was vetted. Only its host and path ever show.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    url: Url,
}

/// Why the list of hosts cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadHosts {
    /// It is empty.
    None,
    /// An entry is no host name in lower-case ASCII.
    NotAHost(String),
    /// An entry names a port or an IP address, which takes `allow_private`.
    NotPublic(String),
}

impl Rules {
    /// Callbacks may lead to exactly these hosts. An entry with a port (`host:port`) or an IP address in the place of
    /// the name is taken only together with `allow_private`, which also lets names lead to private addresses.
    pub fn new(hosts: &[String], allow_private: bool) -> Result<Self, BadHosts> {
        if hosts.is_empty() {
            return Err(BadHosts::None);
        }
        for entry in hosts {
            let url = Url::parse(&format!("{SCHEME}{entry}/")).map_err(|_| BadHosts::NotAHost(entry.clone()))?;
            let is_plain = authority(&url) == *entry && url.as_str() == format!("{SCHEME}{entry}/");
            let name = url.host_str().unwrap_or_default();
            if !is_plain || !(is_literal(&url) || is_host_name(name)) {
                return Err(BadHosts::NotAHost(entry.clone()));
            }
            if !allow_private && (is_literal(&url) || url.port().is_some()) {
                return Err(BadHosts::NotPublic(entry.clone()));
            }
        }
        Ok(Self { hosts: hosts.to_vec(), allow_private })
    }

    /// Whether names may lead to private addresses.
    pub fn allow_private(&self) -> bool {
        self.allow_private
    }

    /// Whether this host, under any port, is one that callbacks may lead to.
    pub fn names(&self, host: &str) -> bool {
        self.hosts.iter().any(|entry| without_port(entry) == host)
    }

    /// The callback of this URL, if it may be fetched.
    pub fn vet(&self, text: &str) -> Result<Callback, Refused> {
        if text.len() > URL_MAX {
            return Err(Refused::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refused::Characters);
        }
        let url = Url::parse(text).map_err(|_| Refused::NotAUrl)?;
        if url.scheme() != "https" {
            return Err(Refused::NotHttps);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(Refused::Fragment);
        }
        self.vet_authority(&url)?;
        if !is_plainly_below_prefix(url.path()) {
            return Err(Refused::Path);
        }
        if !is_as_sent(text, &url) {
            return Err(Refused::Spelling);
        }
        Ok(Callback { url })
    }

    fn vet_authority(&self, url: &Url) -> Result<(), Refused> {
        let authority = authority(url);
        if self.hosts.contains(&authority) {
            Ok(())
        } else if is_literal(url) {
            Err(Refused::Literal)
        } else if self.names(url.host_str().unwrap_or_default()) {
            Err(Refused::Port)
        } else {
            Err(Refused::Host)
        }
    }
}

impl Callback {
    /// The host, without its port.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The whole URL, for the client alone.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }
}

/// Host, and port where it is not the scheme's own.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether the host is an IP address: the parser has brought all notations of one to its own.
fn is_literal(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// A name of lower-case labels, without a final dot; an internationalised one is not for this list.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with(['-'])
            && !label.ends_with('-')
            && !label.starts_with("xn--")
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn without_port(entry: &str) -> &str {
    match entry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => entry,
    }
}

/// Below the prefix, in segments of plain characters: percent signs, semicolons and the like are read in more than one
/// way by servers behind proxies, and no callback needs them.
fn is_plainly_below_prefix(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain);
    path.strip_prefix(PATH_PREFIX).is_some_and(|rest| rest.split('/').all(is_segment))
}

/// Whether the text is what goes out: scheme and host may be in capitals and the scheme's own port may be named; from
/// the path on, every byte stands as it is sent, and the second parser on the way (the one that splits the URL into
/// connection and request target) sees the same parts.
fn is_as_sent(text: &str, url: &Url) -> bool {
    let Some((scheme, rest)) = text.split_at_checked(SCHEME.len()) else { return false };
    let (written, target) = rest.split_at(rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()));
    let written = written.to_ascii_lowercase();
    let is_authority =
        written == authority(url) || (url.port().is_none() && written == format!("{}:443", authority(url)));
    let is_target = match url.query() {
        Some(query) => target.split_once('?') == Some((url.path(), query)),
        None => target == url.path(),
    };
    let Ok(uri) = url.as_str().parse::<Uri>() else { return false };
    scheme.eq_ignore_ascii_case(SCHEME)
        && is_authority
        && is_target
        && uri.authority().is_some_and(|seen| seen.as_str() == authority(url))
        && uri.path_and_query().is_some_and(|seen| seen.as_str() == target)
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("host", &self.host()).field("path", &self.path()).finish_non_exhaustive()
    }
}

impl fmt::Display for BadHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("pull.hosts is empty: name the hosts that callbacks may lead to"),
            Self::NotAHost(entry) => write!(
                f,
                "`{entry}` in pull.hosts is no host: write its name alone, in lower-case ASCII, as in apis.garmin.com"
            ),
            Self::NotPublic(entry) => write!(
                f,
                "`{entry}` in pull.hosts names a port or an IP address: write a host's name alone, or set \
                 pull.allow_private for a trial"
            ),
        }
    }
}

impl std::error::Error for BadHosts {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TARGET: &str = "/wellness-api/rest/dailies?uploadStartTimeInSeconds=1&token=XYZ";

    fn list(hosts: &[&str]) -> Vec<String> {
        hosts.iter().map(|&host| host.to_owned()).collect()
    }

    fn rules() -> Rules {
        Rules::new(&list(&["apis.garmin.com", "ghapi-kc3.garmin.com"]), false).expect("a good list")
    }

    #[test]
    fn listed_hosts_pass_and_show_host_and_path_alone() {
        for url in [
            format!("https://apis.garmin.com{TARGET}"),
            format!("https://ghapi-kc3.garmin.com{TARGET}"),
            format!("HTTPS://APIS.garmin.com{TARGET}"),
            format!("https://apis.garmin.com:443{TARGET}"),
            "https://apis.garmin.com/wellness-api/rest/activityFile?id=1&token=a/b?c%2F%2e..//\\|^`{}~!$&()*+,;=:@-_"
                .to_owned(),
            "https://apis.garmin.com/wellness-api/rest/a.b/c-d_e~f?".to_owned(),
            "https://apis.garmin.com/wellness-api/rest/mct".to_owned(),
        ] {
            let callback = rules().vet(&url).unwrap_or_else(|refused| panic!("{url}: {refused:?}"));
            assert!(callback.host().ends_with(".garmin.com") && callback.path().starts_with(PATH_PREFIX));
            assert!(!format!("{callback:?}").contains("token"), "{callback:?}");
            let written = url.split_once(".com").map(|(_, rest)| rest.trim_start_matches(":443"));
            assert!(callback.url().as_str().ends_with(written.expect("a host")), "{url}");
        }
    }

    #[test]
    fn url_is_looked_at_up_to_its_limit() {
        let start = format!("https://apis.garmin.com{TARGET}");
        let url = format!("{start}{}", "a".repeat(URL_MAX - start.len()));
        assert!(rules().vet(&url).is_ok());
        assert_eq!(rules().vet(&format!("{url}a")).err(), Some(Refused::TooLong));
    }

    #[test]
    fn query_that_would_be_written_otherwise_is_refused() {
        for query in ["token='a'", "token=\"a\"", "token=<a>"] {
            let url = format!("https://apis.garmin.com/wellness-api/rest/dailies?{query}");
            assert_eq!(rules().vet(&url).err(), Some(Refused::Spelling), "{query}");
        }
    }

    #[test]
    fn port_and_address_pass_only_for_a_trial_and_only_as_listed() {
        let hosts = list(&["localhost:8443", "127.0.0.1:8443", "[::1]:8443", "127.0.0.2"]);
        for host in &hosts {
            assert_eq!(Rules::new(std::slice::from_ref(host), false), Err(BadHosts::NotPublic(host.clone())));
        }
        let rules = Rules::new(&hosts, true).expect("a good list");
        for host in &hosts {
            assert!(rules.vet(&format!("https://{host}{TARGET}")).is_ok(), "{host}");
        }
        for (host, refused) in [
            ("localhost", Refused::Port),
            ("localhost:8444", Refused::Port),
            ("127.0.0.1", Refused::Literal),
            ("127.0.0.1:8444", Refused::Literal),
            ("[::1]", Refused::Literal),
            ("127.1:8443", Refused::Spelling),
            ("2130706433:8443", Refused::Spelling),
            ("[0::1]:8443", Refused::Spelling),
            ("127.0.0.3", Refused::Literal),
        ] {
            assert_eq!(rules.vet(&format!("https://{host}{TARGET}")).err(), Some(refused), "{host}");
        }
    }

    #[test]
    fn list_holds_plain_names_alone() {
        assert_eq!(Rules::new(&[], false), Err(BadHosts::None));
        for bad in [
            "",
            "APIS.garmin.com",
            "apis.garmin.com.",
            ".garmin.com",
            "*.garmin.com",
            "apis..garmin.com",
            "https://apis.garmin.com",
            "apis.garmin.com/",
            "apis.garmin.com/path",
            "apis.garmin.com:443",
            "apis.garmin.com:",
            "user@apis.garmin.com",
            "apis.garmin.com?x",
            "apis.garmin.com#x",
            "xn--pis-7ka.com",
            "äpis.garmin.com",
            " apis.garmin.com",
            "apis_garmin.com",
            "-apis.garmin.com",
            "apis-.garmin.com",
            "127.1",
            "0x7f.0.0.1",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(Rules::new(&list(&[bad]), true), Err(BadHosts::NotAHost(bad.to_owned())), "{bad}");
        }
    }

    /// Pieces that URLs, and attempts to pass for one, are made of.
    fn piece() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "https://",
            "http://",
            "HTTPS:",
            "//",
            "/",
            "\\",
            "@",
            ":",
            ":443",
            ":8443",
            "?",
            "#",
            "%2e",
            "%2f",
            "%00",
            "..",
            ".",
            "apis.garmin.com",
            "APIS.GARMIN.COM",
            "evil.example",
            "127.0.0.1",
            "[::1]",
            "0x7f",
            "wellness-api",
            "/wellness-api/rest/",
            "rest",
            "dailies",
            "token=",
            "'",
            "\"",
            " ",
            "\t",
            "\n",
            "\u{ff0e}",
            "\u{ad}",
            "&",
            ";",
            "|",
            "~",
            "user:pass@",
        ])
    }

    proptest! {
        #[test]
        fn whatever_passes_leads_to_a_listed_host_byte_for_byte(
            start in prop::sample::select(vec!["", "https://apis.garmin.com", "https://apis.garmin.com/wellness-api/rest/"]),
            pieces in prop::collection::vec(piece(), 0..8),
        ) {
            let text = format!("{start}{}", pieces.concat());
            if let Ok(callback) = rules().vet(&text) {
                let uri: Uri = callback.url().as_str().parse().expect("a URI");
                prop_assert_eq!(uri.authority().map(|authority| authority.as_str()), Some("apis.garmin.com"));
                let target = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
                prop_assert!(target.starts_with(PATH_PREFIX) && text.ends_with(&target));
                let authority = &text[..text.len() - target.len()];
                let plain = authority.to_ascii_lowercase();
                prop_assert!(matches!(plain.as_str(), "https://apis.garmin.com" | "https://apis.garmin.com:443"));
            }
        }
    }
}
