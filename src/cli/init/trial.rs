//! `init DIR`: a complete trial site in a folder: configuration, root key, self-signed certificate.
//!
//! Never: a file over one that is there; a key that others than its owner may read.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use crate::cli::exit::{Exit, Failure};
use crate::config::{Config, Environment};
use crate::crypto::key;
use crate::model::time::UnixSeconds;
use crate::tls::generate;

const TEMPLATE: &str = include_str!("../../../config/trial.toml");
const CONFIGURATION: &str = "studygate.toml";
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const CERTIFICATE_DAYS: u16 = 365;

/// Makes the site; its configuration file, absolute.
pub(super) fn run(dir: &Path, rng: &dyn SecureRandom, now: UnixSeconds) -> Result<PathBuf, Failure> {
    let dir = std::path::absolute(dir).map_err(|error| cannot(dir, &error))?;
    prepare(&dir)?;
    let secret = HEXLOWER.encode(&key::random::<16>(rng));
    let root_key = Zeroizing::new(HEXLOWER.encode(&*Zeroizing::new(key::random::<32>(rng))));
    let pair = generate::self_signed(&NAMES.map(ToOwned::to_owned), now, CERTIFICATE_DAYS)
        .expect("the names of this machine itself fit a certificate");
    folder(&dir.join("data"))?;
    folder(&dir.join("tls"))?;
    write_new(&dir.join("root.key"), 0o600, format!("{}\n", *root_key).as_bytes())?;
    write_new(&dir.join("tls/certificate.pem"), 0o644, pair.certificate.as_bytes())?;
    write_new(&dir.join("tls/private.key"), 0o600, pair.private_key.as_bytes())?;
    let file = dir.join(CONFIGURATION);
    write_new(&file, 0o600, TEMPLATE.replace("@SECRET@", &secret).as_bytes())?;
    for made in [&dir.join("tls"), &dir] {
        File::open(made).and_then(|folder| folder.sync_all()).map_err(|error| cannot(made, &error))?;
    }
    // A folder whose path is too long for a socket shows here, not at the first start.
    Config::load(&file, &Environment::default())?;
    Ok(file)
}

/// Makes the folder where there is none, and refuses one that holds anything.
fn prepare(dir: &Path) -> Result<(), Failure> {
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let text = format!("{} is not empty, and nothing in it is touched; name a new folder", dir.display());
            Err(Failure::new(Exit::CannotCreate, text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().mode(0o700).recursive(true).create(dir).map_err(|error| cannot(dir, &error))
        }
        Err(error) => Err(cannot(dir, &error)),
    }
}

fn folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().mode(0o700).create(path).map_err(|error| cannot(path, &error))
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|error| cannot(path, &error))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| cannot(path, &error))
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::CannotCreate, format!("{} cannot be made ({error}); name another folder", path.display()))
}
