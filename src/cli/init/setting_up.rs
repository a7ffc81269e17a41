//! `init --system`: looks, asks, makes the root key, and then does what was planned.
//!
//! Never: a root key replaced; the plain key on disk where it can be sealed.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::Path;

use data_encoding::HEXLOWER;

use crate::cli::confirm::Person;
use crate::cli::credential::{self, SystemdCreds};
use crate::cli::exit::{Exit, Failure};
use crate::cli::init::answers::Answers;
use crate::cli::init::found::{CONFIGURATION, Found, Root};
use crate::cli::init::plan::{self, Over, Owner, Step};
use crate::cli::init::{Flags, cannot_create, told};
use crate::cli::output::{self, Form};
use crate::config::{Config, Environment};
use crate::crypto::key::{self, Key, Rng};
use crate::crypto::root_key;
use crate::dataset::secret;

const USER: &str = "studygate";

/// The numbers of the gateway's user and group; none where nothing is given away.
type Ids = Option<(u32, u32)>;

/// Sets this machine up.
pub(super) fn run(flags: &Flags, form: Form, rng: &Rng) -> Result<(), Failure> {
    let root = Root::new(flags.root.as_deref());
    let ids = ids(&root)?;
    let found = Found::look(&root)?;
    let answers = answers(flags, &found, rng)?;
    let configuration = plan::configuration(&found, &answers)?;
    // A name or path that the gateway would refuse shows here, before anything is made.
    Config::of(Path::new(CONFIGURATION), &configuration, &Environment::default())?;
    told::before(&found, &answers);
    agreed(flags)?;
    let key = Key::random(rng);
    let text = root_key::text(&key);
    let sealing = credential::seal(&SystemdCreds, text.as_bytes());
    let escrow = match answers.recipients.as_slice() {
        [] => None,
        recipients => Some(secret::encrypt(text.as_bytes(), recipients)?),
    };
    for step in plan::plan(&found, &answers, &configuration, escrow, (&text, &sealing)) {
        make(&step, &root, ids)?;
    }
    told::after(&answers, &sealing, &root_key::Fingerprint::of(&key).to_string(), &root, form)
}

fn answers(flags: &Flags, found: &Found, rng: &Rng) -> Result<Answers, Failure> {
    let path = format!("/garmin/{}", HEXLOWER.encode(&key::random::<16>(rng)));
    let mut person = Person { input: &mut io::stdin().lock(), screen: &mut io::stderr().lock() };
    Answers::complete(flags, &found.standing, path, output::has_person().then_some(&mut person))
}

/// Whoever has read what is to be made, or has said before that it is right, goes on.
fn agreed(flags: &Flags) -> Result<(), Failure> {
    if flags.yes {
        return Ok(());
    }
    let mut person = Person { input: &mut io::stdin().lock(), screen: &mut io::stderr().lock() };
    match person.ask("Type yes to go on: ")?.as_str() {
        "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Failed, "not confirmed, so nothing was done; run it again when all is right")),
    }
}

/// The numbers of the gateway's user and group. Below another folder nothing is given to anybody unless there is such a
/// user in it: a static program knows local ones alone.
fn ids(root: &Root) -> Result<Ids, Failure> {
    let is_superuser = rustix::process::geteuid().is_root();
    if root.is_machine() && !is_superuser {
        return Err(Failure::new(Exit::Failed, "only root can set up a machine; run `sudo studygate init --system`"));
    }
    let users = fs::read_to_string(root.at("/etc/passwd")).unwrap_or_default();
    match numbers(&users) {
        Some(ids) => Ok(is_superuser.then_some(ids)),
        None if root.is_machine() => {
            let text = "there is no user studygate; install the package, or run `systemd-sysusers studygate.conf`";
            Err(Failure::new(Exit::CannotCreate, text))
        }
        None => Ok(None),
    }
}

fn numbers(users: &str) -> Option<(u32, u32)> {
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        (fields.next()? == USER).then_some(())?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    users.lines().find_map(of_line)
}

fn make(step: &Step, root: &Root, ids: Ids) -> Result<(), Failure> {
    let (path, made) = match step {
        Step::Folder { path, mode, owner } => (root.at(path), make_folder(&root.at(path), *mode, *owner, ids)),
        Step::File { path, mode, owner, content, over: Over::Replace } => {
            (root.at(path), replace(&root.at(path), content, |file| own(file, *mode, *owner, ids)))
        }
        Step::File { path, mode, owner, content, over: Over::Refuse } => {
            if fs::read(root.at(path)).is_ok_and(|there| there == **content) {
                return Ok(());
            }
            (root.at(path), write_new(&root.at(path), content, |file| own(file, *mode, *owner, ids)))
        }
    };
    made.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return cannot_create(&path, "is there already and is not replaced; move it away and run this again");
        }
        cannot_create(&path, format!("cannot be made ({error}); mend that and run this again"))
    })
}

/// A folder that is there stays as it is.
fn make_folder(path: &Path, mode: u32, owner: Owner, ids: Ids) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    DirBuilder::new().mode(0o700).create(path)?;
    own(path, mode, owner, ids)?;
    sync_parent(path)
}

fn replace(path: &Path, content: &[u8], own: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut next = path.as_os_str().to_owned();
    next.push(".new");
    let next = Path::new(&next);
    match fs::remove_file(next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    write_new(next, content, own)?;
    fs::rename(next, path)?;
    sync_parent(path)
}

/// Half a file is of no use to anybody, so none stays.
fn write_new(path: &Path, content: &[u8], own: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(content).and_then(|()| own(path)).and_then(|()| file.sync_all());
    written.and_then(|()| sync_parent(path)).inspect_err(|_| drop(fs::remove_file(path)))
}

/// The owner first: a change of it takes bits from the mode.
fn own(path: &Path, mode: u32, owner: Owner, ids: Ids) -> io::Result<()> {
    if let Some((user, group)) = ids {
        let (user, group) = match owner {
            Owner::Root => (0, 0),
            Owner::RootForGateway => (0, group),
            Owner::Gateway => (user, group),
        };
        chown(path, Some(user), Some(group))?;
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_numbers_are_those_of_its_user() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\nstudygates:x:7:8:::\nstudygate:x:997:996:gateway:/var/lib/studygate:/n\n";
        assert_eq!(numbers(users), Some((997, 996)));
        assert_eq!(numbers("root:x:0:0:root:/root:/bin/sh\n"), None);
        assert_eq!(numbers(""), None);
    }
}
