//! Opens a dataset, or checks it alone: decrypts, unpacks and checks every digest and the signature.
//!
//! Never: a file outside the folder, a file that the manifest does not name, or a folder that was not wholly checked:
//! all is unpacked beside the folder and renamed to it at the end.

use std::{
    collections::HashMap,
    fmt, fs,
    io::{self, BufReader, Read, Seek, Write},
    path::{Path, PathBuf},
};

use ring::digest::{Context, SHA256};
use zip::{ZipArchive, result::ZipError};

use crate::dataset::{
    keyfile::Identities,
    manifest::{FORMAT, FileEntry, Manifest, verify},
    path::is_plain,
};

/// What was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The study's name.
    pub study: String,
    /// Which export of the study it is.
    pub number: u32,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// The public key it is signed with, 64 hexadecimal digits, to be compared with the one the site gave.
    pub site_key: String,
    /// Its files.
    pub files: Vec<FileEntry>,
}

/// Why a dataset was not opened; no folder is left behind.
#[derive(Debug)]
pub enum Error {
    /// The dataset cannot be read, or the folder not written.
    Io(io::Error),
    /// It is no age file.
    NotEncrypted,
    /// None of the keys opens it.
    NoMatchingKey,
    /// It was cut or altered after it was encrypted.
    Damaged,
    /// It is of a form that this version does not read.
    UnknownFormat,
    /// What is inside is not what the site signed; the file or the fact at fault.
    Forged(String),
    /// The folder is there and not empty, or is a file.
    Occupied(PathBuf),
}

/// The longest manifest that is read, in bytes; over what [`FILES_MAX`](crate::dataset::files::FILES_MAX) files take.
pub const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;
const SIGNATURE_BYTES_MAX: u64 = 64;
const PROOFS: [&str; 3] = ["manifest.json", "manifest.sig", "SHA256SUMS"];

/// Opens the dataset in `file` with one of the keys, into the folder `out`, which must not exist or be empty.
pub fn open(file: &Path, identities: &Identities, out: &Path) -> Result<Summary, Error> {
    refuse_occupied(out)?;
    let mut zip = archive(file, identities)?;
    let (manifest, proofs) = read_manifest(&mut zip)?;
    let unpacked = Unpacked::beside(out)?;
    let summary = unpack(&mut zip, manifest, &proofs, Some(&unpacked.0))?;
    unpacked.rename_to(out)?;
    Ok(summary)
}

/// Checks all that [`open`] checks, and writes nothing.
pub fn check(file: &Path, identities: &Identities) -> Result<Summary, Error> {
    let mut zip = archive(file, identities)?;
    let (manifest, proofs) = read_manifest(&mut zip)?;
    unpack(&mut zip, manifest, &proofs, None)
}

fn archive(file: &Path, identities: &Identities) -> Result<ZipArchive<impl Read + Seek + use<>>, Error> {
    let input = BufReader::new(fs::File::open(file)?);
    let decryptor = age::Decryptor::new_buffered(input).map_err(header_error)?;
    let plain = decryptor.decrypt(identities.iter()).map_err(header_error)?;
    Ok(ZipArchive::new(plain)?)
}

fn refuse_occupied(out: &Path) -> Result<(), Error> {
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(Error::Occupied(out.to_owned())),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(Error::Occupied(out.to_owned())),
        Err(error) => Err(Error::Io(error)),
    }
}

/// The manifest, its signature checked, and the bytes of the three files that prove the rest.
fn read_manifest<R: Read + Seek>(zip: &mut ZipArchive<R>) -> Result<(Manifest, HashMap<&'static str, Vec<u8>>), Error> {
    let mut proofs = HashMap::new();
    for name in PROOFS {
        let limit = if name == "manifest.sig" { SIGNATURE_BYTES_MAX } else { MANIFEST_BYTES_MAX };
        proofs.insert(name, read_limited(zip, name, limit)?);
    }
    let manifest_bytes = &proofs["manifest.json"];
    #[derive(serde::Deserialize)]
    struct Version {
        format: String,
    }
    let unreadable = |_| Error::Forged("manifest.json is no manifest".into());
    let version: Version = serde_json::from_slice(manifest_bytes).map_err(unreadable)?;
    if version.format != FORMAT {
        return Err(Error::UnknownFormat);
    }
    let manifest: Manifest = serde_json::from_slice(manifest_bytes).map_err(unreadable)?;
    verify(manifest_bytes, &proofs["manifest.sig"], &manifest.site_key)
        .map_err(|_| Error::Forged("the signature over manifest.json does not hold".into()))?;
    Ok((manifest, proofs))
}

fn read_limited<R: Read + Seek>(zip: &mut ZipArchive<R>, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
    let file = zip.by_name(name).map_err(|error| missing(error, name))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= limit);
    if fits { Ok(bytes) } else { Err(Error::Forged(format!("{name} is too long"))) }
}

fn unpack<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    manifest: Manifest,
    proofs: &HashMap<&'static str, Vec<u8>>,
    into: Option<&Path>,
) -> Result<Summary, Error> {
    if zip.len() != manifest.files.len() + PROOFS.len() {
        return Err(Error::Forged("there are other files in it than the manifest names".into()));
    }
    for entry in &manifest.files {
        if !is_plain(&entry.path) || PROOFS.contains(&entry.path.as_str()) {
            return Err(Error::Forged("the manifest names a file outside the dataset".into()));
        }
        extract(zip, entry, into)?;
    }
    if proofs["SHA256SUMS"] != expected_sums(&manifest, proofs).as_bytes() {
        return Err(Error::Forged("SHA256SUMS does not agree with the manifest".into()));
    }
    if let Some(dir) = into {
        for (name, bytes) in proofs {
            create(&dir.join(name))?.write_all(bytes)?;
        }
    }
    let Manifest { study, number, made_at, site_key, files, .. } = manifest;
    Ok(Summary { study, number, made_at, site_key, files })
}

/// Reads one file, no more of it than the manifest says, and unpacks it where there is a folder for it.
fn extract<R: Read + Seek>(zip: &mut ZipArchive<R>, entry: &FileEntry, into: Option<&Path>) -> Result<(), Error> {
    let mut packed = zip.by_name(&entry.path).map_err(|error| missing(error, &entry.path))?;
    let mut file = into.map(|dir| create(&dir.join(&entry.path))).transpose()?;
    let mut digest = Context::new(&SHA256);
    let mut left = entry.bytes;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = packed.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        let length = u64::try_from(read).expect("a length fits 64 bits");
        left = left.checked_sub(length).ok_or_else(|| Error::Forged(format!("{} is too long", entry.path)))?;
        digest.update(&buffer[..read]);
        if let Some(file) = &mut file {
            file.write_all(&buffer[..read])?;
        }
    }
    let found = data_encoding::HEXLOWER.encode(digest.finish().as_ref());
    if left == 0 && found == entry.sha256 {
        Ok(())
    } else {
        Err(Error::Forged(format!("{} is not what the manifest says", entry.path)))
    }
}

fn expected_sums(manifest: &Manifest, proofs: &HashMap<&'static str, Vec<u8>>) -> String {
    let mut sums = String::new();
    for file in &manifest.files {
        sums.push_str(&format!("{}  {}\n", file.sha256, file.path));
    }
    for name in ["manifest.json", "manifest.sig"] {
        let digest = ring::digest::digest(&SHA256, &proofs[name]);
        sums.push_str(&format!("{}  {name}\n", data_encoding::HEXLOWER.encode(digest.as_ref())));
    }
    sums
}

fn create(path: &Path) -> io::Result<fs::File> {
    if let Some(parent) = path.parent() {
        private(fs::DirBuilder::new().recursive(true)).create(parent)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn private(builder: &mut fs::DirBuilder) -> &mut fs::DirBuilder {
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(builder, 0o700);
    builder
}

/// A folder beside the wanted one, removed with all in it unless it is renamed.
struct Unpacked(PathBuf);

impl Unpacked {
    fn beside(out: &Path) -> Result<Self, Error> {
        let name = out.file_name().ok_or_else(|| Error::Occupied(out.to_owned()))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".opening-{}", std::process::id()));
        let dir = out.with_file_name(hidden);
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent)?;
        }
        private(&mut fs::DirBuilder::new()).create(&dir)?;
        Ok(Self(dir))
    }

    fn rename_to(self, out: &Path) -> Result<(), Error> {
        match fs::remove_dir(out) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                return Err(Error::Occupied(out.to_owned()));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::Io(error)),
            Ok(()) | Err(_) => {}
        }
        fs::rename(&self.0, out)?;
        Ok(())
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // After the rename there is nothing left to remove, and a failure here has nobody to tell.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn missing(error: ZipError, path: &str) -> Error {
    if matches!(error, ZipError::FileNotFound) { Error::Forged(format!("{path} is missing")) } else { error.into() }
}

pub(super) fn header_error(error: age::DecryptError) -> Error {
    if let age::DecryptError::Io(error) = error {
        return error.into();
    }
    if matches!(error, age::DecryptError::NoMatchingKeys) {
        Error::NoMatchingKey
    } else if matches!(error, age::DecryptError::InvalidHeader | age::DecryptError::UnknownFormat) {
        Error::NotEncrypted
    } else {
        Error::Damaged
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) { Self::Damaged } else { Self::Io(error) }
    }
}

impl From<ZipError> for Error {
    fn from(error: ZipError) -> Self {
        if let ZipError::Io(error) = error { error.into() } else { Self::Damaged }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the dataset cannot be opened ({error}); check the paths and permissions"),
            Self::NotEncrypted => f.write_str("that is no age file; give the .zip.age file that the export wrote"),
            Self::NoMatchingKey => f.write_str(
                "the dataset is not encrypted to any key in that key file; use the key whose public half is among the \
                 study's recipients",
            ),
            Self::Damaged => f.write_str("the dataset was cut or altered; copy it again from where it was exported"),
            Self::UnknownFormat => {
                f.write_str("the dataset is of a form that this version does not read; use a newer studygate")
            }
            Self::Forged(what) => {
                write!(f, "the dataset is not what its site signed: {what}; do not use it, and ask the site")
            }
            Self::Occupied(dir) => {
                write!(f, "{} is there already and is not an empty folder; give another", dir.display())
            }
        }
    }
}

impl std::error::Error for Error {}
