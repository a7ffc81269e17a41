//! The callback server's certificate: made once, used again by later runs, so that the gateway goes on trusting it.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cli::exit::{Exit, Failure};
use crate::model::time::UnixSeconds;
use crate::tls::generate::{Pair, self_signed};

const VALID_DAYS: u16 = 365;

/// The certificate in this file with its key beside it; made for the name in `host` (`name:port`) where there is none.
pub(super) fn pair(file: &Path, host: &str, now: UnixSeconds) -> Result<Pair, Failure> {
    let key = key_file(file);
    if file.exists() && key.exists() {
        let read = |path: &Path| fs::read_to_string(path).map_err(|error| unreadable(path, &error));
        return Ok(Pair { certificate: read(file)?, private_key: Zeroizing::new(read(&key)?) });
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
    let pair = self_signed(&[name], now, VALID_DAYS).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    write(&key, pair.private_key.as_bytes(), 0o600)?;
    write(file, pair.certificate.as_bytes(), 0o644)?;
    Ok(pair)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
    Failure::new(exit, format!("{} cannot be read ({error}); name another file", path.display()))
}

fn key_file(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".key");
    PathBuf::from(name)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    opened.and_then(|mut file| file.write_all(bytes)).map_err(|error| {
        let text = format!("{} cannot be made ({error}); name another with --callback-certificate", path.display());
        Failure::new(Exit::CannotCreate, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_is_made_once_and_used_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("callbacks.pem");
        let first = pair(&file, "[::1]:8445", UnixSeconds(1_793_509_200)).expect("made");
        let second = pair(&file, "[::1]:8445", UnixSeconds(1_793_509_200)).expect("read");
        assert_eq!(first.certificate, second.certificate);
        assert_eq!(*first.private_key, *second.private_key);
        let mode = fs::metadata(dir.path().join("callbacks.pem.key")).expect("the key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn half_of_a_pair_is_left_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("callbacks.pem");
        fs::write(&file, "another's").expect("written");
        let failure = pair(&file, "localhost:8445", UnixSeconds(1_793_509_200)).expect_err("it exists");
        assert_eq!(failure.exit, Exit::CannotCreate);
        assert_eq!(fs::read_to_string(&file).expect("read"), "another's");
    }
}
