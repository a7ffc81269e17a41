//! `[ingress.acme]`: a certificate that the gateway orders itself.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::acme::{NAMES_MAX, Wanted};
use crate::config::{Config, Fault, Place};
use crate::upstream::{Timeouts, authority};

/// Longer than any name that resolves (RFC 1035 §2.3.4).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// `[ingress.acme]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acme {
    /// Names to have certified; empty = off. Who sets them agrees to the authority's terms of service.
    pub domains: Vec<String>,
    /// Whom the authority may write to; empty = nobody.
    pub contact: String,
    /// The authority's directory; empty = the public one.
    pub directory: String,
}

impl Acme {
    /// Whether a certificate is to be ordered.
    pub fn is_on(&self) -> bool {
        !self.domains.is_empty()
    }

    /// What is ordered, and where.
    pub fn wanted(&self) -> Wanted {
        Wanted::new(&self.domains, &self.contact, &self.directory)
    }

    /// What is wrong with it: the key, and a sentence.
    pub(super) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        for domain in &self.domains {
            if let Err(text) = check_name(domain) {
                faults.push(("domains", format!("the name \"{domain}\" in ingress.acme.domains {text}")));
            }
        }
        if self.domains.len() > NAMES_MAX {
            let text = format!("ingress.acme.domains holds more than {NAMES_MAX} names, which no authority certifies");
            faults.push(("domains", text));
        }
        let names_more = !self.contact.is_empty() || !self.directory.is_empty();
        if names_more && !self.is_on() {
            let key = if self.contact.is_empty() { "directory" } else { "contact" };
            let text = "ingress.acme.domains is empty, so nothing would be ordered; name the gateway's host name there";
            faults.push((key, text.to_owned()));
        }
        if !self.contact.is_empty() && !is_address(&self.contact) {
            let text = "ingress.acme.contact is no e-mail address; write it as \"it@hospital.example\"";
            faults.push(("contact", text.to_owned()));
        }
        if !self.directory.is_empty() && !authority::is_directory(&self.directory) {
            let text = "ingress.acme.directory is no https URL without a password; write it as \
                        \"https://ca.hospital.example/acme/acme/directory\", or leave it out for the public one";
            faults.push(("directory", text.to_owned()));
        }
        faults
    }
}

impl Config {
    /// What the authority is asked with, where there is one; reads the site's own authority where one is named.
    pub fn authority(&self) -> Result<Option<authority::Settings>, Fault> {
        if !self.ingress.acme.is_on() {
            return Ok(None);
        }
        let way_out = self.upstream()?;
        let settings = authority::Settings {
            directory: self.ingress.acme.wanted().directory,
            ca: way_out.ca,
            proxy: way_out.proxy,
            timeouts: Timeouts::default(),
        };
        let place = Place { file: PathBuf::new(), position: None };
        let made =
            authority::Authority::new(settings.clone(), std::sync::Arc::new(crate::upstream::lookup::SystemLookup));
        made.map(|_| Some(settings)).map_err(|error| Fault { place, text: error.to_string() })
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.parse::<IpAddr>().is_ok() {
        return Err("is an address; name the host that leads to it, since addresses are not certified this way");
    }
    if name.starts_with('*') {
        return Err("is a wildcard, which cannot be proved on this listener; name each host");
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric_end = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if name.len() > NAME_BYTES_MAX || !name.split('.').all(is_label) || numeric_end {
        return Err("is no host name; write it as \"study.hospital.example\", names beyond ASCII as \"xn--…\"");
    }
    Ok(())
}

fn is_address(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"<>,;:()[]\"\\".contains(&byte);
    text.rsplit_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !name.contains('@') && text.bytes().all(plain) && check_name(host).is_ok()
    })
}
