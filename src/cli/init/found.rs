//! What is there before `init --system` does anything.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::cli::exit::{Exit, Failure};
use crate::cli::init::cannot_create;
use crate::cli::init::edit;

/// The configuration that comes with the package.
pub(super) const SAMPLE: &str = include_str!("../../../config/studygate.toml");
/// Where the configuration lies.
pub(super) const CONFIGURATION: &str = "/etc/studygate/studygate.toml";
/// The root key, sealed.
pub(super) const CREDENTIAL: &str = "/etc/credstore.encrypted/studygate.root.key";
/// The root key, where it cannot be sealed.
pub(super) const KEY_FILE: &str = "/etc/studygate/credentials/root.key";
/// Where the service keeps its data unless it is told otherwise.
pub(super) const DATA_DIR: &str = "/var/lib/studygate";
/// A file system's own, which is there from the beginning.
const LOST_AND_FOUND: &str = "lost+found";

/// The file system: as it is, or below a folder.
#[derive(Clone, Debug)]
pub(super) struct Root(Option<PathBuf>);

impl Root {
    /// Everything below this folder, else as it is.
    pub(super) fn new(folder: Option<&Path>) -> Self {
        Self(folder.map(Path::to_owned))
    }

    /// Whether it is the machine's own.
    pub(super) fn is_machine(&self) -> bool {
        self.0.is_none()
    }

    /// Where an absolute path lies.
    pub(super) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        match &self.0 {
            None => path.to_owned(),
            Some(folder) => folder.join(path.strip_prefix("/").unwrap_or(path)),
        }
    }
}

/// What somebody has set in the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Standing {
    /// The notification paths.
    pub(super) paths: Option<Vec<String>>,
    /// The files of the certificate and its key.
    pub(super) files: Option<(PathBuf, PathBuf)>,
    /// The names to have certified, and whom the authority may write to.
    pub(super) acme: Option<(Vec<String>, String)>,
    /// Where backups go.
    pub(super) backup_dir: Option<PathBuf>,
    /// Where the data go.
    pub(super) data_dir: PathBuf,
}

/// The configuration as it is.
#[derive(Debug)]
pub(super) struct Found {
    /// Its text, or the sample's where there is none.
    pub(super) text: String,
    /// What is set in it.
    pub(super) standing: Standing,
}

impl Standing {
    /// What is set here and not in the sample: an untouched default is nobody's decision.
    fn of(table: &Table) -> Self {
        let sample: Table = SAMPLE.parse().expect("the sample is TOML");
        let set = |section: &str, key: &str| {
            let value = edit::value(table, section, key);
            value.filter(|value| edit::value(&sample, section, key) != Some(value))
        };
        let texts = |value: &Value| -> Option<Vec<String>> {
            let items = value.as_array()?.iter().map(|item| item.as_str().map(ToOwned::to_owned));
            items.collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty())
        };
        let text = |section, key| edit::value(table, section, key).and_then(Value::as_str).map(ToOwned::to_owned);
        let path = |section, key| text(section, key).filter(|text| !text.is_empty()).map(PathBuf::from);
        let is_set = set("ingress.tls", "certificate").or(set("ingress.tls", "private_key")).is_some();
        let files = path("ingress.tls", "certificate").zip(path("ingress.tls", "private_key"));
        let domains = set("ingress.acme", "domains").and_then(texts);
        Self {
            paths: set("ingress", "paths").and_then(texts),
            files: files.filter(|_| is_set),
            acme: domains.map(|domains| (domains, text("ingress.acme", "contact").unwrap_or_default())),
            backup_dir: path("backup", "dir"),
            data_dir: table.get("data_dir").and_then(Value::as_str).unwrap_or(DATA_DIR).into(),
        }
    }
}

impl Found {
    /// Looks, and refuses where a site is set up already.
    pub(super) fn look(root: &Root) -> Result<Self, Failure> {
        for key in [CREDENTIAL, KEY_FILE].map(|path| root.at(path)) {
            if key.symlink_metadata().is_ok() {
                let text = "is the root key of this site already, and no root key is ever replaced here; for another one \
                            see `studygate keys rotate --root`";
                return Err(cannot_create(&key, text));
            }
        }
        let file = root.at(CONFIGURATION);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => SAMPLE.to_owned(),
            Err(error) => {
                let text = format!("{} cannot be read ({error}); check its permissions", file.display());
                return Err(Failure::new(Exit::Configuration, text));
            }
        };
        let wrong = |what: &str| Failure::new(Exit::Configuration, format!("{}: {what}", file.display()));
        let table: Table = text
            .parse()
            .map_err(|_| wrong("it is no TOML; `studygate check-config` says where, and then try again"))?;
        if edit::value(&table, "keys", "root_key").is_some() {
            return Err(wrong("keys.root_key is set, so the key made here would not be used; take it out"));
        }
        let standing = Standing::of(&table);
        empty(&root.at(&standing.data_dir))?;
        Ok(Self { text, standing })
    }
}

/// Refuses a data directory that holds anything: its data open with another key alone.
fn empty(data_dir: &Path) -> Result<(), Failure> {
    let cannot =
        |error: &io::Error| cannot_create(data_dir, format!("cannot be looked into ({error}); run it as root"));
    let entries = match fs::read_dir(data_dir) {
        Ok(entries) => entries,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot(&error)),
    };
    for entry in entries {
        if entry.map_err(|error| cannot(&error))?.file_name() != LOST_AND_FOUND {
            let text = "holds data already, which no new root key opens; bring back the key it was made with from its \
                        escrow, or move the data away";
            return Err(cannot_create(data_dir, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &Standing) {
        assert_eq!(&Standing::of(&text.parse().expect("TOML")), expected, "{text}");
    }

    #[test]
    fn untouched_sample_holds_nobodys_decision() {
        check(SAMPLE, &Standing { data_dir: DATA_DIR.into(), ..Standing::default() });
    }

    #[test]
    fn what_was_set_by_hand_is_found() {
        check(
            "data_dir = \"/srv/s\"\n[ingress]\npaths = [\"/g/1\"]\n[ingress.tls]\ncertificate = \"/c\"\nprivate_key = \"/k\"\n\
             [backup]\ndir = \"/b\"\n",
            &Standing {
                paths: Some(vec!["/g/1".into()]),
                files: Some(("/c".into(), "/k".into())),
                acme: None,
                backup_dir: Some("/b".into()),
                data_dir: "/srv/s".into(),
            },
        );
        check(
            "[ingress.acme]\ndomains = [\"a.example.org\"]\ncontact = \"it@example.org\"\n[backup]\ndir = \"\"\n",
            &Standing {
                acme: Some((vec!["a.example.org".into()], "it@example.org".into())),
                data_dir: DATA_DIR.into(),
                ..Standing::default()
            },
        );
    }
}
