//! The whole configuration, read from its file, checked, with every path made absolute.
//!
//! A relative path in the file is taken from the file's own folder, so that a trial site can be moved as a whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::config::{
    Environment, Fault, Place,
    backup::Backup,
    deregistration::Deregistration,
    fault::{position, with_nearest_key},
    part::{Ingress, Keys, Local, Metrics, Quarantine, Storage, Tls, Tombstones, Unassigned},
    pull::Pull,
    reserved::{GarminClients, Join},
    validate,
};

const FILE: &str = "/etc/studygate/studygate.toml";
const ROOT_KEY_FILE: &str = "/etc/studygate/credentials/root.key";
const ROOT_KEY_CREDENTIAL: &str = "root.key";
/// Where `init --system` puts it, sealed by `systemd-creds`; for root alone to open.
const ROOT_KEY_SEALED: &str = "/etc/credstore.encrypted/studygate.root.key";
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the operator set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where everything the gateway keeps lies.
    pub data_dir: PathBuf,
    /// What is logged: a level, or directives such as `info,studygate::filing=debug`.
    pub log: String,
    /// `[keys]`
    pub keys: Keys,
    /// `[ingress]`
    pub ingress: Ingress,
    /// `[local]`
    pub local: Local,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[pull]`
    pub pull: Pull,
    /// `[storage]`
    pub storage: Storage,
    /// `[unassigned]`
    pub unassigned: Unassigned,
    /// `[quarantine]`
    pub quarantine: Quarantine,
    /// `[deregistration]`
    pub deregistration: Deregistration,
    /// `[tombstones]`
    pub tombstones: Tombstones,
    /// `[backup]`
    pub backup: Backup,
    /// `[garmin.NAME]`, by name.
    pub garmin: GarminClients,
    /// `[join]`
    pub join: Option<Join>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "/var/lib/studygate".into(),
            log: "info".to_owned(),
            keys: Keys::default(),
            ingress: Ingress::default(),
            local: Local::default(),
            metrics: Metrics::default(),
            pull: Pull::default(),
            storage: Storage::default(),
            unassigned: Unassigned::default(),
            quarantine: Quarantine::default(),
            deregistration: Deregistration::default(),
            tombstones: Tombstones::default(),
            backup: Backup::default(),
            garmin: GarminClients::new(),
            join: None,
        }
    }
}

/// The configuration file to read: the one named, else `$STUDYGATE_CONFIG`, else the packaged place.
pub fn default_file(named: Option<PathBuf>, environment: &Environment) -> PathBuf {
    named.or_else(|| environment.config.clone()).unwrap_or_else(|| FILE.into())
}

impl Config {
    /// The checked configuration of this file, or everything that is wrong with it (never an empty list).
    pub fn load(file: &Path, environment: &Environment) -> Result<Config, Vec<Fault>> {
        Config::of(file, &read(file)?, environment)
    }

    /// The same of a text that the file may hold later.
    pub fn of(file: &Path, text: &str, environment: &Environment) -> Result<Config, Vec<Fault>> {
        let mut config = Config::parse(file, text)?;
        validate::check(&config, file, text)?;
        if let Some(log) = &environment.log {
            config.log.clone_from(log);
            validate::check_log_variable(log, file)?;
        }
        config.settle(file, environment);
        Ok(config)
    }

    /// The configuration of this text, its shape alone checked.
    pub(super) fn parse(file: &Path, text: &str) -> Result<Config, Vec<Fault>> {
        toml::from_str(text).map_err(|error| {
            let place = Place { file: file.to_owned(), position: error.span().map(|span| position(text, span.start)) };
            vec![Fault { place, text: with_nearest_key(error.message()) }]
        })
    }

    /// The file of the root key.
    pub fn root_key_file(&self) -> &Path {
        self.keys.root_key.as_deref().unwrap_or(Path::new(ROOT_KEY_FILE))
    }

    /// Makes every path absolute, and finds the root key's.
    fn settle(&mut self, file: &Path, environment: &Environment) {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let base = file.parent().unwrap_or(Path::new("/"));
        let anchor = |path: &mut PathBuf| {
            if !path.as_os_str().is_empty() {
                *path = base.join(&*path);
            }
        };
        anchor(&mut self.data_dir);
        anchor(&mut self.local.socket);
        anchor(&mut self.pull.ca_file);
        anchor(&mut self.backup.dir);
        let all = [&mut self.ingress.tls, &mut self.local.tls, &mut self.metrics.tls];
        for Tls { certificate, private_key } in all.into_iter().flatten() {
            anchor(certificate);
            anchor(private_key);
        }
        match &mut self.keys.root_key {
            Some(path) => anchor(path),
            none => {
                let credential = environment.credentials_directory.as_ref().map(|dir| dir.join(ROOT_KEY_CREDENTIAL));
                // What systemd opens for the service, root opens for a command beside it.
                let sealed = Some(PathBuf::from(ROOT_KEY_SEALED))
                    .filter(|sealed| !Path::new(ROOT_KEY_FILE).exists() && sealed.exists());
                *none = Some(credential.or(sealed).unwrap_or_else(|| ROOT_KEY_FILE.into()));
            }
        }
    }
}

fn read(file: &Path) -> Result<String, Vec<Fault>> {
    let fault = |text| vec![Fault { place: Place { file: file.to_owned(), position: None }, text }];
    let cannot = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            let text = "this configuration file does not exist; name one with --config, or make a trial site with \
                        `studygate init DIR`";
            return fault(text.to_owned());
        }
        fault(format!("the configuration file cannot be read ({error}); check its permissions"))
    };
    let length = fs::metadata(file).map_err(cannot)?.len();
    if length > FILE_BYTES_MAX {
        return Err(fault(
            "the file is larger than 1 MiB, so it is no configuration file; name the right one".to_owned(),
        ));
    }
    fs::read_to_string(file).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../config/studygate.toml");

    /// The sample with every `#key = value` and `#[section]` line taken out of its comment.
    fn uncommented() -> String {
        let setting = |line: &str| {
            let begins_as_one = line.starts_with('[') || line.split(' ').nth(1) == Some("=");
            begins_as_one && !line.starts_with(' ')
        };
        let lines = SAMPLE.lines().map(|line| line.strip_prefix('#').filter(|rest| setting(rest)).unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn shipped_sample_shows_every_key_with_its_default() {
        let mut shown = Config::parse(Path::new("sample"), &uncommented()).expect("the shape holds");
        assert_eq!(shown.local.grant.len(), 1);
        assert!(shown.local.tls.is_some() && shown.metrics.tls.is_some());
        assert_eq!(shown.garmin.len(), 1);
        assert_eq!(shown.join.as_ref().map(|join| join.link_expires.as_secs()), Some(14 * 86_400));
        assert_eq!(shown.root_key_file(), Path::new(ROOT_KEY_FILE));
        shown.local.grant.clear();
        shown.local.tls = None;
        shown.metrics.tls = None;
        shown.garmin.clear();
        shown.join = None;
        shown.keys.root_key = None;
        shown.ingress.tls = None;
        assert_eq!(shown, Config::default());
    }

    #[test]
    fn shipped_sample_leaves_no_key_out() {
        // The fields as Debug names them are the keys of the file.
        let names = format!("{:#?}", Config::parse(Path::new("sample"), &uncommented()).expect("the shape holds"));
        let field = |line: &str| line.trim().split_once(": ").map(|(name, _)| name.to_owned());
        let sample = uncommented();
        for name in
            names.lines().filter_map(field).filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        {
            let as_key = sample.lines().any(|line| line.starts_with(&format!("{name} = ")));
            let as_section = sample.lines().any(|line| line.starts_with('[') && line.contains(&name));
            assert!(as_key || as_section, "`{name}` is not in config/studygate.toml");
        }
    }
}
