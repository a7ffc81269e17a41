//! Files and folders: who may do what with them, and whether they hold what they should.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::config::{self, Config, Environment, Tls};
use crate::doctor::facts::{CertificateFacts, FileFacts, IdentityFacts, KeyFacts, KeyKept, Look, Mark, Unusable};
use crate::model::time::UnixSeconds;
use crate::store::format::FORMAT;
use crate::tls::chain::{Asked, public_anchors};
use crate::tls::files::{Error, Files, Identity};

/// A mark is one short line.
const MARK_BYTES_MAX: u64 = 64;

/// What is at this path.
pub(super) fn facts(path: &Path) -> Look<FileFacts> {
    fs::metadata(path).map_or_else(|error| of(&error), |metadata| Look::Seen(file(&metadata)))
}

/// What an error of the system means. Its words name no path.
pub(super) fn of<T>(error: &io::Error) -> Look<T> {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
        Look::Absent
    } else if kind == io::ErrorKind::PermissionDenied {
        Look::Forbidden
    } else {
        Look::Failed(kind.to_string())
    }
}

/// The file of the root key, and whether it holds one.
pub(super) fn root_key(config: &Config, environment: &Environment) -> Look<KeyFacts> {
    let path = config.root_key_file();
    let file = match facts(path) {
        Look::Seen(file) => file,
        Look::Absent => return Look::Absent,
        Look::Forbidden => return Look::Forbidden,
        Look::Failed(cause) => return Look::Failed(cause),
    };
    if let Err(error) = fs::File::open(path) {
        return of(&error);
    }
    let kept = if environment.credentials_directory.as_ref().is_some_and(|directory| path.starts_with(directory)) {
        KeyKept::Credential
    } else if config::is_sealed(path) {
        KeyKept::Sealed
    } else {
        KeyKept::Plain
    };
    Look::Seen(KeyFacts { file, kept, is_key: config::read_root_key(path).is_ok() })
}

/// The version mark of a data directory.
pub(super) fn format(dir: &Path) -> Look<Mark> {
    let path = dir.join("FORMAT");
    let text = match fs::metadata(&path)
        .and_then(|found| if found.len() > MARK_BYTES_MAX { Ok(String::new()) } else { fs::read_to_string(&path) })
    {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let holds = |name: &str| fs::symlink_metadata(dir.join(name)).is_ok();
            return if holds("keyring") || holds("db") { Look::Seen(Mark::Foreign) } else { Look::Absent };
        }
        Err(error) => return of(&error),
    };
    let number = text.strip_prefix("studygate ").and_then(|rest| rest.trim_end().parse::<u32>().ok());
    Look::Seen(match number {
        Some(number) if number > FORMAT => Mark::Newer(number),
        Some(number) => Mark::Known(number),
        None => Mark::Foreign,
    })
}

/// The certificates that are files. Those that notifications come to have to satisfy Garmin.
pub(super) fn certificates(config: &Config, now: UnixSeconds) -> Vec<CertificateFacts> {
    let public = public_anchors();
    let all = [
        ("ingress", &config.ingress.tls, Some(&public)),
        ("local", &config.local.tls, None),
        ("metrics", &config.metrics.tls, None),
    ];
    let named = all.into_iter().filter_map(|(listener, tls, anchors)| Some((listener, tls.as_ref()?, anchors)));
    let look = |(listener, tls, anchors)| {
        let asked = Asked { now, names: &[], anchors };
        let identity = load(tls).map(|identity| IdentityFacts {
            not_after: identity.not_after,
            findings: identity.findings(&asked).into_iter().filter(|found| fits(listener, found)).collect(),
        });
        CertificateFacts { listener, identity }
    };
    named.map(look).collect()
}

/// What is signed by itself is only Garmin's concern: at the other listeners it is trusted by name.
fn fits(listener: &str, found: &crate::tls::chain::Finding) -> bool {
    listener == "ingress" || !matches!(found, crate::tls::chain::Finding::SelfSigned)
}

/// The certificate and key of a section.
pub(super) fn load(tls: &Tls) -> Result<Identity, Unusable> {
    let files = Files { certificate: tls.certificate.clone(), private_key: tls.private_key.clone() };
    Identity::load(&files).map_err(|error| {
        let denied = |cause: &io::Error| cause.kind() == io::ErrorKind::PermissionDenied;
        let is_forbidden = matches!(&error, Error::Unreadable(_, cause) if denied(cause));
        if is_forbidden { Unusable::Forbidden } else { Unusable::Wrong(error.to_string()) }
    })
}

fn file(metadata: &Metadata) -> FileFacts {
    FileFacts { mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid(), device: metadata.dev() }
}
