//! `[pull]`: where callbacks may lead, and how many are fetched at once.

use std::{fs, io::Read as _, path::PathBuf, sync::Arc};

use serde::Deserialize;

use crate::config::{
    Config, Fault, Place,
    quantity::{self, MEBIBYTE},
};
use crate::upstream::{Settings, Timeouts, Upstream, lookup::SystemLookup, rules::Rules};

/// A file of authorities is far smaller, in bytes.
const CA_BYTES_MAX: u64 = 1 << 20;

/// `[pull]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pull {
    /// Hosts that callback URLs may name.
    pub hosts: Vec<String>,
    /// Whether private addresses and other ports are allowed.
    pub allow_private: bool,
    /// The site's own authority; empty = none.
    pub ca_file: PathBuf,
    /// The site's proxy; empty = none.
    pub proxy: String,
    /// Pulls at once.
    pub concurrency: usize,
    /// The largest answer in bytes.
    #[serde(deserialize_with = "quantity::bytes")]
    pub max_body: u64,
}

impl Default for Pull {
    fn default() -> Self {
        Self {
            hosts: vec!["apis.garmin.com".to_owned(), "ghapi-kc3.garmin.com".to_owned()],
            allow_private: false,
            ca_file: PathBuf::new(),
            proxy: String::new(),
            concurrency: 4,
            max_body: 256 * MEBIBYTE,
        }
    }
}

impl Pull {
    /// What is wrong with it: the key, and a sentence.
    pub(super) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        match Rules::new(&self.hosts, self.allow_private) {
            Err(error) => faults.push(("hosts", error.to_string())),
            Ok(rules) => {
                if let Err(error) = Upstream::new(self.settings(rules, None), Arc::new(SystemLookup)) {
                    faults.push(("proxy", error.to_string()));
                }
            }
        }
        if self.concurrency == 0 {
            let text = "pull.concurrency is zero, so nothing would be fetched; set it to 1 or more";
            faults.push(("concurrency", text.to_owned()));
        }
        if self.max_body < MEBIBYTE {
            let text = "pull.max_body is less than an activity file may have; set it to 1MiB or more";
            faults.push(("max_body", text.to_owned()));
        }
        faults
    }

    fn settings(&self, rules: Rules, ca: Option<Vec<u8>>) -> Settings {
        let proxy = (!self.proxy.is_empty()).then(|| self.proxy.clone());
        Settings { rules, ca, proxy, timeouts: Timeouts::default() }
    }
}

impl Config {
    /// What callbacks are fetched with; reads the site's own authority where one is named.
    pub fn upstream(&self) -> Result<Settings, Fault> {
        let fault = |file: &PathBuf, text: String| Fault { place: Place { file: file.clone(), position: None }, text };
        let file = &self.pull.ca_file;
        let rules = Rules::new(&self.pull.hosts, self.pull.allow_private)
            .map_err(|error| fault(file, format!("pull.hosts cannot be used: {error}")))?;
        if file.as_os_str().is_empty() {
            return Ok(self.pull.settings(rules, None));
        }
        let mut pem = Vec::new();
        fs::File::open(file).and_then(|opened| opened.take(CA_BYTES_MAX).read_to_end(&mut pem)).map_err(|error| {
            fault(file, format!("pull.ca_file cannot be read ({error}); name a readable file, or take it out"))
        })?;
        let settings = self.pull.settings(rules, Some(pem));
        match Upstream::new(settings.clone(), Arc::new(SystemLookup)) {
            Ok(_) => Ok(settings),
            Err(error) => Err(fault(file, error.to_string())),
        }
    }
}
