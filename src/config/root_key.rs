//! The root key's file: 64 hexadecimal digits, for the gateway's eyes only; or, in a folder `credstore.encrypted`, what
//! `systemd-creds` made of them for this machine.
//!
//! Never: a part of the key in a message.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use zeroize::Zeroizing;

use crate::config::systemd_creds::open_credential_file;
use crate::config::{Fault, Place};
use crate::crypto::key::Key;
use crate::crypto::root_key;

const DIGITS: usize = 64;
const FILE_BYTES_MAX: u64 = 4096;
/// systemd's own folder for credentials that are sealed.
const SEALED_IN: &str = "credstore.encrypted";

/// The root key, and whether others than its owner may read the file.
#[derive(Debug)]
pub struct KeyFile {
    /// The key.
    pub key: Key,
    /// Whether group or others may read or write the file, which deserves a warning.
    pub exposed: bool,
}

/// Whether this file holds the root key sealed by `systemd-creds`.
pub fn is_sealed(file: &Path) -> bool {
    file.parent().and_then(Path::file_name).is_some_and(|folder| folder == SEALED_IN)
}

/// The root key in this file.
pub fn read_root_key(file: &Path) -> Result<KeyFile, Fault> {
    let fault = |text: String| Fault { place: Place { file: file.to_owned(), position: None }, text };
    let cannot = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            let text = "the root key file does not exist; set keys.root_key, or restore the key from its escrow";
            return fault(text.to_owned());
        }
        fault(format!("the root key file cannot be read ({error}); check its owner and permissions"))
    };
    let opened = fs::File::open(file).map_err(cannot)?;
    let metadata = opened.metadata().map_err(cannot)?;
    let text = if is_sealed(file) {
        let unopened = |why| fault(format!("the root key's credential does not open, because {why}; run this as root"));
        open_credential_file(file).map_err(unopened)?
    } else {
        let mut text = Zeroizing::new(Vec::with_capacity(DIGITS * 2));
        opened.take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(cannot)?;
        text
    };
    let key = root_key::parse(&text).ok_or_else(|| {
        fault(format!(
            "the root key file must hold {DIGITS} hexadecimal digits and nothing else; restore the right file"
        ))
    })?;
    Ok(KeyFile { key, exposed: metadata.permissions().mode() & 0o077 != 0 })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn key_file_that_others_may_read_is_exposed() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("root.key");
        fs::write(&file, "00".repeat(32)).expect("written");
        for (mode, exposed) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).expect("set");
            assert_eq!(read_root_key(&file).expect("read").exposed, exposed, "{mode:o}");
        }
    }

    #[test]
    fn fault_never_quotes_the_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("root.key");
        fs::write(&file, "5ec2e7".repeat(3)).expect("written");
        let fault = read_root_key(&file).expect_err("too short");
        assert!(!fault.to_string().contains("5ec2e7"));
    }
}
