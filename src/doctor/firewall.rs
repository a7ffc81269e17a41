//! What a site's network has to allow, as the configuration has it: a table for whoever keeps the firewall.

use std::fs;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::config::Config;

const NAME_SERVERS: &str = "/etc/resolv.conf";
/// The public authority that is asked where no directory is named.
const PUBLIC_ACME: &str = "acme-v02.api.letsencrypt.org";
const ANY: &str = "any";

/// One thing to allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// From the gateway's side.
    pub direction: Direction,
    /// Who connects.
    pub from: String,
    /// To where.
    pub to: String,
    /// `TCP 443` and the like.
    pub port: String,
    /// What for.
    pub purpose: String,
}

/// From the gateway's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Somebody connects to the gateway.
    In,
    /// The gateway connects to somebody.
    Out,
}

impl Row {
    /// Its cells: direction, from, to, port, purpose.
    pub fn cells(&self) -> [String; 5] {
        let direction = match self.direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        [direction, &self.from, &self.to, &self.port, &self.purpose].map(str::to_owned)
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let [direction, from, to, port, purpose] = self.cells();
        json!({ "direction": direction, "from": from, "to": to, "port": port, "purpose": purpose })
    }
}

/// What the machine itself uses, read now.
pub fn name_servers() -> Vec<String> {
    // Without the file the table names no server, and says so.
    servers_in(&fs::read_to_string(NAME_SERVERS).unwrap_or_default())
}

fn servers_in(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.trim().strip_prefix("nameserver ")).map(|rest| rest.trim().to_owned()).collect()
}

/// What the network has to allow.
pub fn rows(config: &Config, name_servers: &[String]) -> Vec<Row> {
    let mut rows = Vec::new();
    inward(config, &mut rows);
    outward(config, &mut rows);
    let out = |to: String, port: &str, purpose: &str| Row {
        direction: Direction::Out,
        from: "the gateway".to_owned(),
        to,
        port: port.to_owned(),
        purpose: purpose.to_owned(),
    };
    let local = |server: &String| server.starts_with("127.") || server == "::1";
    let servers: Vec<_> = name_servers.iter().filter(|server| !local(server)).cloned().collect();
    let servers = if servers.is_empty() { "the site's name servers".to_owned() } else { servers.join(", ") };
    let names = if config.pull.proxy.is_empty() { "names of the hosts above" } else { "the proxy's name" };
    rows.push(out(servers, "UDP and TCP 53", names));
    let time = "the clock: nothing expires or is destroyed while nothing keeps it right";
    rows.push(out("the site's time servers".to_owned(), "UDP 123", time));
    rows
}

fn inward(config: &Config, rows: &mut Vec<Row>) {
    let ingress = &config.ingress;
    let networks: Vec<_> = ingress.allow_from.iter().map(ToString::to_string).collect();
    let senders = if networks.is_empty() { "any (Garmin)".to_owned() } else { networks.join(", ") };
    let in_from = |from: &str, to: &SocketAddr, purpose: &str| Row {
        direction: Direction::In,
        from: from.to_owned(),
        to: place(to),
        port: format!("TCP {}", to.port()),
        purpose: purpose.to_owned(),
    };
    for address in &ingress.listen {
        let purpose = "notifications over HTTPS; from Garmin's side always port 443. A proxy on the way must take \
                       bodies of 100 MB and leave 30 s for an answer";
        rows.push(in_from(&senders, address, purpose));
        if !ingress.acme.domains.is_empty() {
            rows.push(in_from(ANY, address, "the authority proves the name by TLS on port 443, from where it likes"));
        }
    }
    if let Some(address) = config.local.listen.as_ref().filter(|address| !address.ip().is_loopback()) {
        rows.push(in_from("coordinators' machines", address, "the API over HTTPS, by tokens"));
    }
    if let Some(address) = config.metrics.listen.as_ref().filter(|address| !address.ip().is_loopback()) {
        rows.push(in_from("the monitoring server", address, "metrics over HTTPS, by a monitor's token"));
    }
}

fn outward(config: &Config, rows: &mut Vec<Row>) {
    let pull = &config.pull;
    let row = |from: &str, to: String, port: String, purpose: &str| Row {
        direction: Direction::Out,
        from: from.to_owned(),
        to,
        port,
        purpose: purpose.to_owned(),
    };
    let purpose = "what pings announce, and activity files; HTTPS, not opened on the way unless pull.ca_file has the \
                   authority that does";
    let from = if pull.proxy.is_empty() {
        "the gateway"
    } else {
        let (host, port) = split(pull.proxy.trim_start_matches("http://").trim_end_matches('/'), "80");
        rows.push(row("the gateway", host.to_owned(), format!("TCP {port}"), "the site's proxy (HTTP CONNECT)"));
        "the proxy"
    };
    for host in &pull.hosts {
        let (host, port) = split(host, "443");
        rows.push(row(from, host.to_owned(), format!("TCP {port}"), purpose));
    }
    if !config.ingress.acme.domains.is_empty() {
        let directory = config.ingress.acme.directory.as_str();
        let authority = directory.trim_start_matches("https://").split('/').next().unwrap_or_default();
        let (host, port) = if authority.is_empty() { (PUBLIC_ACME, "443") } else { split(authority, "443") };
        rows.push(row("the gateway", host.to_owned(), format!("TCP {port}"), "ordering the certificate (ACME)"));
    }
}

fn place(address: &SocketAddr) -> String {
    if address.ip().is_unspecified() { "the gateway".to_owned() } else { address.ip().to_string() }
}

/// Host and port of `host` or `host:port`.
fn split<'a>(text: &'a str, port: &'a str) -> (&'a str, &'a str) {
    match text.rsplit_once(':') {
        Some((host, found)) if !found.is_empty() && found.bytes().all(|byte| byte.is_ascii_digit()) => (host, found),
        Some(_) | None => (text, port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(config: &Config) -> Vec<String> {
        let short = |row: &Row| row.cells()[..4].join(" | ");
        rows(config, &["192.0.2.53".to_owned(), "127.0.0.53".to_owned()]).iter().map(short).collect()
    }

    #[test]
    fn packaged_configuration_needs_garmin_in_and_out_names_and_time() {
        assert_eq!(
            lines(&Config::default()),
            [
                "in | any (Garmin) | the gateway | TCP 443",
                "out | the gateway | apis.garmin.com | TCP 443",
                "out | the gateway | ghapi-kc3.garmin.com | TCP 443",
                "out | the gateway | 192.0.2.53 | UDP and TCP 53",
                "out | the gateway | the site's time servers | UDP 123",
            ]
        );
    }

    #[test]
    fn proxy_networks_authority_and_further_listeners_have_their_rows() {
        let mut config = Config::default();
        config.ingress.allow_from = vec!["198.51.100.0/24".parse().expect("a network")];
        config.ingress.acme.domains = vec!["gate.example.org".to_owned()];
        config.pull.proxy = "http://proxy.site:3128".to_owned();
        assert!(!lines(&config).iter().any(|line| line.contains("8444")));
        config.local.listen = Some("192.0.2.9:8444".parse().expect("an address"));
        config.metrics.listen = Some("192.0.2.9:9464".parse().expect("an address"));
        let lines = lines(&config);
        for expected in [
            "in | 198.51.100.0/24 | the gateway | TCP 443",
            "in | any | the gateway | TCP 443",
            "in | coordinators' machines | 192.0.2.9 | TCP 8444",
            "in | the monitoring server | 192.0.2.9 | TCP 9464",
            "out | the gateway | proxy.site | TCP 3128",
            "out | the proxy | apis.garmin.com | TCP 443",
            "out | the gateway | acme-v02.api.letsencrypt.org | TCP 443",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected}: {lines:#?}");
        }
        config.ingress.acme.directory = "https://acme.site:14000/dir".to_owned();
        assert!(self::lines(&config).contains(&"out | the gateway | acme.site | TCP 14000".to_owned()));
    }
}
