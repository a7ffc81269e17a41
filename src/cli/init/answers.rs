//! What `init --system` has to know: out of flags, out of the configuration, or from the person at the terminal.
//!
//! Never: a value that somebody has set replaced because nothing was said of it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::cli::confirm::Person;
use crate::cli::exit::{Exit, Failure};
use crate::cli::init::Flags;
use crate::cli::init::found::Standing;
use crate::cli::init::questions;
use crate::dataset::recipient::Recipient;

/// What a person types who goes without an escrow.
pub(super) const REFUSAL: &str = "I accept that a lost root key loses all data";
/// Where the escrow goes unless another place is named.
const ESCROW: &str = "/etc/studygate/root-key.escrow.age";
/// Where the service cannot look: `ProtectHome=` and `PrivateTmp=` keep it out.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// A setting: as it stands, or to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting<T> {
    /// It stands in the configuration, and nothing was said of it.
    Kept(T),
    /// It is to be written.
    New(T),
}

/// Where the gateway's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Certificate {
    /// Files of the site.
    Files { certificate: PathBuf, private_key: PathBuf },
    /// An authority that speaks ACME.
    Acme { contact: String, domains: Vec<String> },
}

/// Everything that was to be known.
#[derive(Debug)]
pub(super) struct Answers {
    /// The name under which Garmin reaches the gateway.
    pub(super) host: String,
    /// The paths that take notifications, at least one.
    pub(super) paths: Setting<Vec<String>>,
    /// Its certificate.
    pub(super) certificate: Setting<Certificate>,
    /// Where backups go; `None` = none are made.
    pub(super) backup_dir: Setting<Option<PathBuf>>,
    /// Who opens the escrow; empty where that was refused.
    pub(super) recipients: Vec<Recipient>,
    /// The file of the escrow.
    pub(super) escrow: PathBuf,
}

impl<T> Setting<T> {
    /// The value, either way.
    pub(super) fn value(&self) -> &T {
        match self {
            Self::Kept(value) | Self::New(value) => value,
        }
    }
}

impl Answers {
    /// All answers; where nobody can be asked, the flags that are missing are named.
    pub(super) fn complete(
        flags: &Flags,
        standing: &Standing,
        random_path: String,
        person: Option<&mut Person<'_>>,
    ) -> Result<Self, Failure> {
        let Some(person) = person else {
            let missing = missing(flags, standing);
            if !missing.is_empty() {
                let text = format!("nobody can be asked here; add {}", missing.join(", "));
                return Err(Failure::new(Exit::Usage, text));
            }
            return Self::gather(flags.clone(), standing, random_path);
        };
        let mut flags = flags.clone();
        questions::fill(&mut flags, standing, person)?;
        Self::gather(flags, standing, random_path)
    }

    fn gather(flags: Flags, standing: &Standing, random_path: String) -> Result<Self, Failure> {
        let host = host(flags.host.as_deref().unwrap_or_default()).map_err(usage)?;
        let paths = match (flags.path, &standing.paths) {
            (Some(path), _) => Setting::New(vec![path]),
            (None, Some(paths)) => Setting::Kept(paths.clone()),
            (None, None) => Setting::New(vec![random_path]),
        };
        let certificate = match (flags.certificate.zip(flags.private_key), flags.acme_contact) {
            (Some((certificate, private_key)), _) => Setting::New(Certificate::Files {
                certificate: visible(certificate).map_err(usage)?,
                private_key: visible(private_key).map_err(usage)?,
            }),
            (None, Some(contact)) => {
                let mut domains = vec![host.clone()];
                domains.extend(flags.acme_domains);
                Setting::New(Certificate::Acme { contact, domains })
            }
            (None, None) => Setting::Kept(standing.certificate().expect("a missing one was asked for")),
        };
        let backup_dir = match (flags.backup_dir, &standing.backup_dir) {
            (Some(dir), _) => Setting::New(Some(visible(dir).map_err(usage)?)),
            (None, Some(dir)) if !flags.no_backup => Setting::Kept(Some(dir.clone())),
            (None, _) => Setting::New(None),
        };
        Ok(Self {
            host,
            paths,
            certificate,
            backup_dir,
            recipients: recovery(&flags.recipients, flags.no_recovery.as_deref())?,
            escrow: flags.escrow.unwrap_or_else(|| ESCROW.into()),
        })
    }
}

impl Standing {
    /// The certificate that somebody has set.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        let files = || {
            let (certificate, private_key) = self.files.clone()?;
            Some(Certificate::Files { certificate, private_key })
        };
        let acme = self.acme.clone().map(|(domains, contact)| Certificate::Acme { contact, domains });
        acme.or_else(files)
    }
}

/// The flags without which nothing can be done, where nobody can be asked.
fn missing(flags: &Flags, standing: &Standing) -> Vec<String> {
    let certificate = flags.certificate.is_some() || flags.acme_contact.is_some() || standing.certificate().is_some();
    let backup = flags.backup_dir.is_some() || flags.no_backup || standing.backup_dir.is_some();
    let recovery = !flags.recipients.is_empty() || flags.no_recovery.is_some();
    let wanted = [
        (flags.host.is_some(), "--host NAME".to_owned()),
        (certificate, "--certificate FILE --private-key FILE (or --acme-contact ADDRESS)".to_owned()),
        (backup, "--backup-dir DIR (or --no-backup)".to_owned()),
        (recovery, format!("--recovery age1… (or --no-recovery \"{REFUSAL}\")")),
        (flags.yes, "--yes".to_owned()),
    ];
    wanted.into_iter().filter(|(given, _)| !given).map(|(_, flag)| flag).collect()
}

fn recovery(recipients: &[String], refusal: Option<&str>) -> Result<Vec<Recipient>, Failure> {
    if let Some(sentence) = refusal
        && sentence.trim() != REFUSAL
    {
        return Err(usage(format!("without an escrow, the sentence is to be exactly: {REFUSAL}")));
    }
    let parsed: Result<Vec<_>, _> = recipients.iter().map(|text| Recipient::parse(text)).collect();
    parsed.map_err(|refused| usage(refused.to_string()))
}

/// A host name, checked: what Garmin's endpoint tool takes between `https://` and the path.
pub(super) fn host(text: &str) -> Result<String, String> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_name = name.len() <= 253 && name.contains('.') && name.split('.').all(is_label);
    if is_name && name.parse::<IpAddr>().is_err() {
        return Ok(name);
    }
    Err("the host is to be a public name without scheme, port or path, such as study.example.org".to_owned())
}

/// A path that the service can reach, checked.
pub(super) fn visible(path: PathBuf) -> Result<PathBuf, String> {
    let text = path.display();
    if !path.is_absolute() {
        return Err(format!("{text} is to be a whole path, beginning with /"));
    }
    if HIDDEN.iter().any(|hidden| path.starts_with(hidden)) {
        return Err(format!("{text} is hidden from the service; put it below /etc/studygate, /srv or /var"));
    }
    // What a unit's file would read as something else.
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+@:,=~".contains(byte) || !byte.is_ascii();
    let is_plain = path.as_os_str().as_encoded_bytes().iter().all(plain);
    let is_straight = Path::new("/").join(&path).components().all(|part| part.as_os_str() != "..");
    if is_plain && is_straight {
        Ok(path)
    } else {
        Err(format!("{text} has characters that a unit cannot name; choose another"))
    }
}

fn usage(text: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient() -> String {
        age::x25519::Identity::generate().to_public().to_string()
    }

    fn whole() -> Flags {
        Flags {
            host: Some("study.example.org".into()),
            certificate: Some("/etc/studygate/tls/c.pem".into()),
            private_key: Some("/etc/studygate/tls/k.pem".into()),
            backup_dir: Some("/srv/backups".into()),
            recipients: vec![recipient()],
            yes: true,
            ..Flags::default()
        }
    }

    fn complete(flags: &Flags, standing: &Standing) -> Result<Answers, Failure> {
        Answers::complete(flags, standing, "/garmin/random".into(), None)
    }

    #[test]
    fn flags_answer_everything() {
        let answers = complete(&whole(), &Standing::default()).expect("complete");
        assert_eq!(answers.host, "study.example.org");
        assert_eq!(answers.paths, Setting::New(vec!["/garmin/random".to_owned()]));
        assert_eq!(answers.backup_dir, Setting::New(Some("/srv/backups".into())));
        assert_eq!((answers.recipients.len(), answers.escrow), (1, PathBuf::from(ESCROW)));
    }

    #[test]
    fn nobody_to_ask_needs_each_flag_and_names_it() {
        let told = complete(&Flags::default(), &Standing::default()).expect_err("nothing is known");
        assert_eq!(told.exit, Exit::Usage);
        for flag in ["--host", "--certificate", "--acme-contact", "--backup-dir", "--recovery", "--yes"] {
            assert!(told.text.contains(flag), "{flag}: {}", told.text);
        }
        let told = complete(&Flags { yes: false, ..whole() }, &Standing::default()).expect_err("not agreed to");
        assert_eq!(told.text, "nobody can be asked here; add --yes");
    }

    #[test]
    fn what_stands_is_kept_unless_a_flag_says_otherwise() {
        let standing = Standing {
            paths: Some(vec!["/g/1".into(), "/g/2".into()]),
            files: Some(("/c".into(), "/k".into())),
            backup_dir: Some("/b".into()),
            ..Standing::default()
        };
        let silent = Flags { host: whole().host, recipients: whole().recipients, yes: true, ..Flags::default() };
        let kept = complete(&silent, &standing).expect("complete");
        let files = Certificate::Files { certificate: "/c".into(), private_key: "/k".into() };
        assert_eq!(kept.paths, Setting::Kept(vec!["/g/1".to_owned(), "/g/2".to_owned()]));
        assert_eq!(kept.certificate, Setting::Kept(files));
        assert_eq!(kept.backup_dir, Setting::Kept(Some("/b".into())));
        let told =
            complete(&Flags { path: Some("/g/3".into()), no_backup: true, ..silent }, &standing).expect("complete");
        assert_eq!((told.paths, told.backup_dir), (Setting::New(vec!["/g/3".to_owned()]), Setting::New(None)));
    }

    #[test]
    fn acme_certifies_the_host_and_what_is_named_beside_it() {
        let flags = Flags {
            certificate: None,
            private_key: None,
            acme_contact: Some("it@example.org".into()),
            acme_domains: vec!["www.example.org".into()],
            ..whole()
        };
        let domains = vec!["study.example.org".to_owned(), "www.example.org".to_owned()];
        let expected = Certificate::Acme { contact: "it@example.org".into(), domains };
        assert_eq!(complete(&flags, &Standing::default()).expect("complete").certificate, Setting::New(expected));
    }

    #[test]
    fn escrow_is_refused_by_the_sentence_alone() {
        let refusing = |sentence: &str| {
            let flags = Flags { recipients: Vec::new(), no_recovery: Some(sentence.into()), ..whole() };
            complete(&flags, &Standing::default()).map(|answers| answers.recipients.len())
        };
        assert_eq!(refusing(REFUSAL).ok(), Some(0));
        for sentence in ["", "yes", "I accept"] {
            assert_eq!(refusing(sentence).map_err(|failure| failure.exit), Err(Exit::Usage), "{sentence}");
        }
    }

    #[test]
    fn host_is_a_public_name() {
        for (text, expected) in [
            ("study.example.org", Some("study.example.org")),
            (" Study.Example.org. ", Some("study.example.org")),
            ("https://study.example.org", None),
            ("study.example.org:443", None),
            ("study.example.org/garmin", None),
            ("localhost", None),
            ("192.0.2.1", None),
            ("-a.example.org", None),
            ("", None),
        ] {
            assert_eq!(host(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn path_that_the_service_cannot_reach_is_refused() {
        for path in ["/home/it/tls.pem", "/root/k", "/tmp/k", "relative", "/srv/a b", "/srv/%i", "/srv/../root/k"] {
            assert!(visible(path.into()).is_err(), "{path}");
        }
        for path in ["/etc/ssl/private/k.pem", "/srv/backups", "/rootless", "/mnt/Größe"] {
            assert_eq!(visible(path.into()), Ok(path.into()));
        }
    }
}
