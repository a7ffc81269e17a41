//! Key files: the secret X25519 keys that open datasets, in the form `age-keygen` writes.
//!
//! Never: a key in an error or in a file that others may read; a key file written over.

use std::{
    fmt, fs,
    io::{self, Write},
    path::Path,
    str::FromStr,
};

use age::secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::dataset::recipient::Recipient;
use crate::model::time::UnixSeconds;

/// The secret keys of one key file.
pub struct Identities(Vec<age::x25519::Identity>);

/// Why a key file cannot be used.
#[derive(Debug)]
pub enum Error {
    /// The file cannot be read or written.
    Io(io::Error),
    /// There is a file of this name.
    Exists,
    /// This line (counted from 1) is no X25519 secret key.
    Line(usize),
    /// There is no key in it.
    Empty,
}

impl Identities {
    /// The keys in the file at `path`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = Zeroizing::new(fs::read_to_string(path).map_err(Error::Io)?);
        Self::parse(&text)
    }

    /// The keys in the text of a key file: one a line, blank lines and `#` comments aside.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            keys.push(age::x25519::Identity::from_str(line).map_err(|_| Error::Line(number + 1))?);
        }
        if keys.is_empty() { Err(Error::Empty) } else { Ok(Self(keys)) }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|key| key as &dyn age::Identity)
    }
}

/// Makes a key file at `path`, readable by its owner alone, and returns the recipient that belongs to it.
///
/// The key is drawn from the operating system's random source by the `age` crate.
pub fn generate(path: &Path, now: UnixSeconds) -> Result<Recipient, Error> {
    let identity = age::x25519::Identity::generate();
    let recipient = Recipient::parse(&identity.to_public().to_string()).expect("a made recipient is valid");
    let secret = identity.to_string();
    let text = Zeroizing::new(format!("# created: {now}\n# public key: {recipient}\n{}\n", secret.expose_secret()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options
        .open(path)
        .map_err(|error| if error.kind() == io::ErrorKind::AlreadyExists { Error::Exists } else { Error::Io(error) })?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(Error::Io)?;
    Ok(recipient)
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the key file cannot be used ({error}); check its path and permissions"),
            Self::Exists => f.write_str("there is a file of that name, and keys are never overwritten; give another"),
            Self::Line(number) => write!(
                f,
                "line {number} of the key file is no age secret key; give a file made by `studygate dataset keygen` \
                 or `age-keygen`"
            ),
            Self::Empty => f.write_str("the key file holds no key; give one made by `studygate dataset keygen`"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_key_file_reads_back_and_is_private() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key.txt");
        let recipient = generate(&path, UnixSeconds(1_793_509_200)).expect("made");
        let identities = Identities::read(&path).expect("read");
        assert_eq!(identities.0[0].to_public().to_string(), recipient.as_str());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn key_file_is_never_overwritten() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key.txt");
        fs::write(&path, "mine").expect("written");
        assert!(matches!(generate(&path, UnixSeconds(0)), Err(Error::Exists)));
        assert_eq!(fs::read_to_string(&path).expect("there"), "mine");
    }

    #[test]
    fn text_that_is_no_key_is_named_by_its_line() {
        assert!(matches!(Identities::parse("# a comment\n\nhello\n"), Err(Error::Line(3))));
        assert!(matches!(Identities::parse("# a comment\n"), Err(Error::Empty)));
    }
}
