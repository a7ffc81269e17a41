//! The proxy that the site names: plain HTTP, asked by CONNECT, so that it sees the target's name and nothing else.

use reqwest::Url;

/// A proxy's address.
pub(super) struct Address {
    /// As the client takes it.
    pub(super) url: String,
    /// The name to look up, or an IP address.
    pub(super) host: String,
    pub(super) port: u16,
}

/// The address in this setting; `None` where it is not of the form `http://host:port`.
pub(super) fn parse(text: &str) -> Option<Address> {
    let url = Url::parse(text).ok()?;
    let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    (url.scheme() == "http" && is_bare).then(|| Address { url: url.as_str().to_owned(), host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_is_a_host_and_a_port_over_plain_http() {
        let read = |text: &str| parse(text).map(|address| (address.url, address.host));
        let address = |url: &str, host: &str| Some((url.to_owned(), host.to_owned()));
        assert_eq!(read("http://Proxy.site:3128"), address("http://proxy.site:3128/", "proxy.site"));
        assert_eq!(read("http://10.0.0.1:3128/"), address("http://10.0.0.1:3128/", "10.0.0.1"));
        assert_eq!(read("http://proxy.site"), address("http://proxy.site/", "proxy.site"));
        for bad in [
            "",
            "proxy.site:3128",
            "https://proxy.site:3128",
            "socks5://proxy.site:1080",
            "http://user:secret@proxy.site:3128",
            "http://proxy.site:3128/path",
            "http://proxy.site:3128/?query",
            "http://proxy.site:3128/#fragment",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
