//! The rules between settings, and what this version cannot do yet; each fault with the place it stands at.

use std::{path::Path, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use tracing_subscriber::filter::Targets;

use crate::config::{Config, Fault, Place, fault::position};

/// Garmin sends bodies of up to 100 MB (decimal).
const MAX_BODY_LEAST: u64 = 100_000_000;
/// The system's limit on a Unix socket's path, less its closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Kept free for participants' pages.
const JOIN_PATH: &str = "/join";

/// Everything that is wrong with a configuration of the right shape, in the order of the sections.
pub(super) fn check(config: &Config, file: &Path, text: &str) -> Result<(), Vec<Fault>> {
    let mut checks = Checks { file, text, faults: Vec::new() };
    checks.general(config);
    checks.ingress(config);
    checks.listeners(config);
    checks.limits(config);
    checks.not_built(config);
    if checks.faults.is_empty() { Ok(()) } else { Err(checks.faults) }
}

/// Whether `STUDYGATE_LOG` can be followed.
pub(super) fn check_log_variable(log: &str, file: &Path) -> Result<(), Vec<Fault>> {
    let place = Place { file: file.to_owned(), position: None };
    let text = "the variable STUDYGATE_LOG is no log level; set it to error, warn, info, debug or trace".to_owned();
    if is_log_filter(log) { Ok(()) } else { Err(vec![Fault { place, text }]) }
}

struct Checks<'a> {
    file: &'a Path,
    text: &'a str,
    faults: Vec<Fault>,
}

impl Checks<'_> {
    fn require(&mut self, holds: bool, key: &[&str], text: impl Into<String>) {
        if !holds {
            let found = locate(self.text, key).map(|offset| position(self.text, offset));
            let place = Place { file: self.file.to_owned(), position: found };
            self.faults.push(Fault { place, text: text.into() });
        }
    }

    fn general(&mut self, config: &Config) {
        self.require(!config.data_dir.as_os_str().is_empty(), &["data_dir"], "data_dir is empty; name a folder");
        self.require(
            is_log_filter(&config.log),
            &["log"],
            "log is no level; set it to error, warn, info, debug or trace",
        );
        let key_named = config.keys.root_key.as_ref().is_none_or(|path| !path.as_os_str().is_empty());
        self.require(key_named, &["keys", "root_key"], "keys.root_key is empty; name the file of the root key");
        // Named as a file, the key would stand in the message that the file does not exist.
        self.require(
            !config.keys.root_key.as_deref().is_some_and(is_key),
            &["keys", "root_key"],
            "keys.root_key holds a key instead of the name of its file; put the digits into a file of mode 0600 and \
             name that",
        );
    }

    fn ingress(&mut self, config: &Config) {
        let ingress = &config.ingress;
        self.require(!ingress.listen.is_empty(), &["ingress", "listen"], "ingress.listen is empty; name an address");
        self.require(!ingress.paths.is_empty(), &["ingress", "paths"], "ingress.paths is empty; name a path");
        // A path is a secret of a kind, and a fault goes to the journal: it is named by its place.
        for (place, path) in (1..).zip(&ingress.paths) {
            if let Err(text) = check_path(path) {
                self.require(false, &["ingress", "paths"], format!("path {place} of ingress.paths {text}"));
            }
        }
        self.require(
            ingress.client_ids.iter().all(|id| !id.trim().is_empty()),
            &["ingress", "client_ids"],
            "ingress.client_ids holds an empty identifier; take it out",
        );
        self.require(
            ingress.max_body >= MAX_BODY_LEAST,
            &["ingress", "max_body"],
            "ingress.max_body is less than the 100MB that Garmin may send; set it to 100MB or more",
        );
        self.require(
            ingress.body_deadline >= Duration::from_secs(1),
            &["ingress", "body_deadline"],
            "ingress.body_deadline is less than a second; set it to 1s or more",
        );
        self.require(
            ingress.body_min_rate > 0,
            &["ingress", "body_min_rate"],
            "ingress.body_min_rate is zero, so a stalled body would hold its slot; set it to 1KiB or more",
        );
        self.require(
            ingress.max_connections > 0,
            &["ingress", "max_connections"],
            "ingress.max_connections is zero, so nobody could connect; set it to 1 or more",
        );
        self.require(
            ingress.tls.is_some() || ingress.acme.is_on(),
            &["ingress"],
            "a certificate is required; name certificate and private_key under [ingress.tls], or the host names to have \
             certified under [ingress.acme]",
        );
        self.require(
            ingress.tls.is_none() || !ingress.acme.is_on(),
            &["ingress", "acme", "domains"],
            "a certificate is named in [ingress.tls] and ordered by [ingress.acme]; take one of them out",
        );
        for (key, text) in ingress.acme.faults() {
            self.require(false, &["ingress", "acme", key], text);
        }
    }

    fn listeners(&mut self, config: &Config) {
        // Relative paths grow by the file's folder before they are used.
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let socket = std::path::absolute(folder.join(&config.local.socket)).unwrap_or_default();
        self.require(
            !config.local.socket.as_os_str().is_empty(),
            &["local", "socket"],
            "local.socket is empty; name the Unix socket that the command line uses",
        );
        self.require(
            socket.as_os_str().len() <= SOCKET_PATH_BYTES_MAX,
            &["local", "socket"],
            format!(
                "the path of local.socket is longer than {SOCKET_PATH_BYTES_MAX} bytes; put it into a nearer folder"
            ),
        );
        self.require(
            config.metrics.tls.is_some() || config.metrics.listen.is_none_or(|address| address.ip().is_loopback()),
            &["metrics", "listen"],
            "metrics beyond loopback need a certificate and a monitor's token; name the certificate under \
             [metrics.tls], or listen on 127.0.0.1 or [::1]",
        );
        self.require(
            config.local.listen.is_none() || config.local.tls.is_some(),
            &["local", "listen"],
            "the API over HTTPS needs a certificate; name certificate and private_key under [local.tls]",
        );
        self.require(
            config.local.tls.is_none() || config.local.listen.is_some(),
            &["local", "tls"],
            "[local.tls] is for local.listen, which is not set; set it, or take [local.tls] out",
        );
        for grant in &config.local.grant {
            if let Some(fault) = grant.fault() {
                self.require(false, &["local", "grant"], fault);
            }
        }
    }

    fn limits(&mut self, config: &Config) {
        for (key, text) in config.pull.faults() {
            self.require(false, &["pull", key], text);
        }
        self.require(
            (0.0..=1.0).contains(&config.deregistration.flood_share),
            &["deregistration", "flood_share"],
            "deregistration.flood_share is a share; set it between 0 and 1",
        );
        self.require(
            config.deregistration.flood_least > 0,
            &["deregistration", "flood_least"],
            "deregistration.flood_least is zero, so every notice would wait for a person; set it to 1 or more",
        );
        self.require(
            config.deregistration.hold_for >= Duration::from_secs(3600),
            &["deregistration", "hold_for"],
            "deregistration.hold_for is less than an hour, so nobody could look in time; set it to 1h or more",
        );
        let backups_reach = Duration::from_secs(u64::from(config.backup.keep) * 86_400);
        self.require(
            config.tombstones.keep_for >= backups_reach,
            &["tombstones", "keep_for"],
            format!(
                "tombstones.keep_for is less than the {} days that backups are kept, so a restore could bring a purged \
                 person back; set it to {0}d or more",
                config.backup.keep
            ),
        );
        self.require(
            config.backup.keep > 0,
            &["backup", "keep"],
            "backup.keep is zero, so no backup would stay; set it to 1 or more, or take backup.dir out",
        );
        self.require(
            !config.backup.lies_below(&config.data_dir),
            &["backup", "dir"],
            "backup.dir is within data_dir and would be lost with it; name a folder elsewhere, best on another disk",
        );
        self.require(
            is_time_of_day(&config.backup.at),
            &["backup", "at"],
            "backup.at is no time of day; write it as \"02:30\"",
        );
    }

    /// A setting that would have no effect is refused, so that nobody relies on it.
    fn not_built(&mut self, config: &Config) {
        let absent = |what: &str| format!("{what} is not part of this version; take it out");
        self.require(config.garmin.is_empty(), &["garmin"], absent("a Garmin client ([garmin.NAME])"));
        self.require(config.join.is_none(), &["join"], absent("connecting participants ([join])"));
    }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    if !path.starts_with('/') {
        return Err("must begin with \"/\"");
    }
    if path.ends_with('/') || path.contains("//") {
        return Err("has an empty part; write it as \"/name\" or \"/name/name\"");
    }
    if !path.bytes().all(plain) || path.split('/').any(|part| part == "." || part == "..") {
        return Err("must be made of letters, digits, \"-\", \"_\", \".\" and \"~\" alone");
    }
    if path == JOIN_PATH || path.starts_with("/join/") {
        return Err("is kept free for participants' pages; choose another");
    }
    Ok(())
}

/// Whether a path is made of a root key's digits.
fn is_key(path: &Path) -> bool {
    let digits = path.as_os_str().as_encoded_bytes().trim_ascii();
    digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit)
}

fn is_log_filter(text: &str) -> bool {
    !text.trim().is_empty() && text.parse::<Targets>().is_ok()
}

fn is_time_of_day(text: &str) -> bool {
    let number = |part: &str, limit: u8| part.len() == 2 && part.parse::<u8>().is_ok_and(|value| value < limit);
    text.split_once(':').is_some_and(|(hour, minute)| number(hour, 24) && number(minute, 60))
}

/// The byte offset of a key, or of the nearest section above it that stands in the text.
fn locate(text: &str, key: &[&str]) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table: &DeTable<'_> = document.get_ref();
    let mut found = None;
    for part in key {
        let Some((name, value)) = entry(table, part) else { break };
        found = Some(name);
        let DeValue::Table(inner) = value else { break };
        table = inner;
    }
    found
}

fn entry<'a, 'text>(table: &'a DeTable<'text>, name: &str) -> Option<(usize, &'a DeValue<'text>)> {
    let same = |key: &Spanned<std::borrow::Cow<'text, str>>| key.get_ref() == name;
    let (key, value) = table.iter().find(|(key, _)| same(key))?;
    Some((key.span().start, value.get_ref()))
}
