//! What `init --system` writes, decided before anything is written: folders and files with their contents, modes and
//! owners, in the order in which they are made.
//!
//! ```text
//! configuration    keeps its comments and what others set
//! drop-ins         what the packaged unit cannot know: folders elsewhere, a root key that is a file
//! escrow           before the key, so that no key is in force without it
//! root key         last: until it is there the unit waits, and `init --system` may be run again
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use toml::Value;
use zeroize::Zeroizing;

use crate::cli::credential::Sealing;
use crate::cli::exit::{Exit, Failure};
use crate::cli::init::answers::{Answers, Certificate, Setting};
use crate::cli::init::edit::{self, NotEdited};
use crate::cli::init::found::{CONFIGURATION, CREDENTIAL, DATA_DIR, Found, KEY_FILE};

const DROP_INS: &str = "/etc/systemd/system/studygate.service.d";
/// The packaged unit lets the service write here.
const BACKUPS: &str = "/var/backups/studygate";
const TLS: &str = "/etc/studygate/tls";

/// Whose a file or folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Root's alone.
    Root,
    /// Root's, for the gateway to read.
    RootForGateway,
    /// The gateway's.
    Gateway,
}

/// What happens to a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Nothing: it is an error, unless it holds the same.
    Refuse,
    /// It is replaced as a whole.
    Replace,
}

/// One thing to make.
#[derive(PartialEq, Eq)]
pub(super) enum Step {
    /// A folder; one that is there stays as it is.
    Folder { path: PathBuf, mode: u32, owner: Owner },
    /// A file.
    File { path: PathBuf, mode: u32, owner: Owner, content: Zeroizing<Vec<u8>>, over: Over },
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, mode, owner } => write!(f, "Folder({}, {mode:o}, {owner:?})", path.display()),
            // Contents may be a key.
            Self::File { path, mode, owner, .. } => write!(f, "File({}, {mode:o}, {owner:?})", path.display()),
        }
    }
}

/// The configuration as it is to be.
pub(super) fn configuration(found: &Found, answers: &Answers) -> Result<String, Failure> {
    let mut text = found.text.clone();
    let mut set = |section: &str, key: &str, value: Value| -> Result<(), Failure> {
        text = edit::set(&text, section, key, &value).map_err(not_edited)?;
        Ok(())
    };
    if let Setting::New(paths) = &answers.paths {
        set("ingress", "paths", paths.clone().into())?;
    }
    match &answers.certificate {
        Setting::New(Certificate::Files { certificate, private_key }) => {
            set("ingress.tls", "certificate", text_of(certificate))?;
            set("ingress.tls", "private_key", text_of(private_key))?;
            if found.standing.acme.is_some() {
                set("ingress.acme", "domains", Value::Array(Vec::new()))?;
            }
        }
        Setting::New(Certificate::Acme { contact, domains }) => {
            set("ingress.acme", "domains", domains.clone().into())?;
            set("ingress.acme", "contact", contact.as_str().into())?;
        }
        Setting::Kept(_) => {}
    }
    match &answers.backup_dir {
        Setting::New(Some(dir)) => set("backup", "dir", text_of(dir))?,
        Setting::New(None) if found.standing.backup_dir.is_some() => set("backup", "dir", "".into())?,
        Setting::New(None) | Setting::Kept(_) => {}
    }
    if matches!(answers.certificate, Setting::New(Certificate::Acme { .. })) {
        text = edit::comment_out(&text, "ingress.tls").map_err(not_edited)?;
    }
    Ok(text)
}

/// Everything that is made, in its order. The escrow comes encrypted; the key comes as its file's text and sealed.
pub(super) fn plan(
    found: &Found,
    answers: &Answers,
    configuration: &str,
    escrow: Option<Vec<u8>>,
    key: (&str, &Sealing),
) -> Vec<Step> {
    let mut steps = vec![folder("/etc/studygate", 0o755, Owner::Root)];
    if let Certificate::Files { certificate, .. } = answers.certificate.value()
        && certificate.starts_with(TLS)
    {
        steps.push(folder(TLS, 0o750, Owner::RootForGateway));
    }
    let data_dir = &found.standing.data_dir;
    let backup_dir = answers.backup_dir.value().as_deref();
    let elsewhere: Vec<_> = [(data_dir.as_path(), DATA_DIR)]
        .into_iter()
        .chain(backup_dir.map(|dir| (dir, BACKUPS)))
        .filter_map(|(dir, packaged)| (dir != Path::new(packaged)).then_some(dir))
        .collect();
    for dir in backup_dir.into_iter().chain(elsewhere.iter().copied().filter(|dir| Some(*dir) != backup_dir)) {
        steps.push(folder(dir, 0o700, Owner::Gateway));
    }
    // The paths in it are what keeps strangers from sending.
    steps.push(file(CONFIGURATION, 0o640, Owner::RootForGateway, configuration.as_bytes(), Over::Replace));
    let is_file = matches!(key.1, Sealing::Unsealed { .. });
    if is_file || !elsewhere.is_empty() {
        steps.push(folder(DROP_INS, 0o755, Owner::Root));
    }
    if !elsewhere.is_empty() {
        let lines: Vec<_> = elsewhere.iter().map(|dir| format!("ReadWritePaths=-{}\n", dir.display())).collect();
        steps.push(drop_in(
            "folders.conf",
            "The folders that studygate.toml names outside of the packaged ones.",
            &lines.concat(),
        ));
    }
    if is_file {
        let line = format!("LoadCredential=root.key:{KEY_FILE}\n");
        steps.push(drop_in("root-key.conf", "The root key, a file of root's alone on this machine.", &line));
    }
    if let Some(escrow) = escrow {
        steps.push(file(&answers.escrow, 0o600, Owner::Root, &escrow, Over::Refuse));
    }
    let (path, content) = match key.1 {
        Sealing::Sealed { credential, .. } => (Path::new(CREDENTIAL), credential.as_slice()),
        Sealing::Unsealed { .. } => (Path::new(KEY_FILE), key.0.as_bytes()),
    };
    steps.push(folder(path.parent().expect("a key lies in a folder"), 0o700, Owner::Root));
    steps.push(file(path, 0o600, Owner::Root, content, Over::Refuse));
    steps
}

fn folder(path: impl Into<PathBuf>, mode: u32, owner: Owner) -> Step {
    Step::Folder { path: path.into(), mode, owner }
}

fn file(path: impl Into<PathBuf>, mode: u32, owner: Owner, content: &[u8], over: Over) -> Step {
    Step::File { path: path.into(), mode, owner, content: Zeroizing::new(content.to_vec()), over }
}

fn drop_in(name: &str, why: &str, lines: &str) -> Step {
    let content = format!("# {why} Made by `studygate init --system`.\n[Service]\n{lines}");
    file(Path::new(DROP_INS).join(name), 0o644, Owner::Root, content.as_bytes(), Over::Refuse)
}

fn text_of(path: &Path) -> Value {
    path.display().to_string().into()
}

fn not_edited(refused: NotEdited) -> Failure {
    let NotEdited { section, key } = refused;
    let text = format!(
        "{CONFIGURATION}: [{section}] {key} stands in a form that cannot be changed without touching more; set it by hand"
    );
    Failure::new(Exit::Configuration, text)
}

#[cfg(test)]
mod tests;
