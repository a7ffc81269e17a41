//! What was observed of a site: plain values, so that what they mean is decided without looking again.

mod running;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::clock::Synchronised;
use crate::model::time::UnixSeconds;
use crate::tls::chain;
use crate::upstream::reach::Unreached;

pub use crate::doctor::facts::running::{Running, SeenFacts, StudyFacts, TokenFacts};

/// What came of looking at something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look<T> {
    /// This was there.
    Seen(T),
    /// Nothing was there.
    Absent,
    /// Whoever asks may not look.
    Forbidden,
    /// Looking failed, in words of the system.
    Failed(String),
}

/// Everything that was observed.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The time of the machine.
    pub now: UnixSeconds,
    /// What the system says of it.
    pub synchronised: Synchronised,
    /// What the operator set, as far as it matters here.
    pub settings: Settings,
    /// The configuration's own file.
    pub config_file: Look<FileFacts>,
    /// The file of the root key.
    pub root_key: Look<KeyFacts>,
    /// The data directory.
    pub data_dir: Look<FileFacts>,
    /// Its version mark.
    pub format: Look<Mark>,
    /// Whether a process holds it.
    pub held: Look<bool>,
    /// The disk it lies on.
    pub disk: Look<DiskFacts>,
    /// The Unix socket.
    pub socket: Look<FileFacts>,
    /// Who is of the socket's group.
    pub socket_group: Look<GroupFacts>,
    /// Groups with a grant that the machine does not have; or why they could not be read.
    pub unknown_groups: Look<Vec<String>>,
    /// The certificates of the listeners.
    pub certificates: Vec<CertificateFacts>,
    /// The folder of backups, where one is set.
    pub backup_dir: Option<Look<FileFacts>>,
    /// What the gateway tells.
    pub gateway: Gateway,
    /// Whether the listeners answer.
    pub listeners: Vec<ListenerFacts>,
    /// Whether Garmin's hosts can be reached; empty where nobody tried.
    pub outward: Vec<OutwardFacts>,
}

/// What the operator set.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where notifications come to.
    pub paths: Vec<String>,
    /// Whether the header with the client's id is checked.
    pub client_ids: bool,
    /// Whether callbacks may lead to private addresses.
    pub allow_private: bool,
    /// Where the data lie.
    pub data_dir: PathBuf,
    /// The file of the root key.
    pub root_key: PathBuf,
    /// The Unix socket.
    pub socket: PathBuf,
    /// The folder of backups.
    pub backup_dir: PathBuf,
    /// Bytes that are kept free.
    pub disk_reserve: u64,
    /// How many connections are held at most.
    pub unassigned_max: u64,
    /// How long tombstones stand, in seconds.
    pub tombstones_keep: i64,
    /// Whether grants are named.
    pub has_grants: bool,
    /// Whether the ingress orders its certificate itself.
    pub is_acme: bool,
}

/// A file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Its permissions, the last 12 bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The file system it lies on.
    pub device: u64,
}

/// The file of the root key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The file.
    pub file: FileFacts,
    /// How it is kept.
    pub kept: KeyKept,
    /// Whether it holds a key.
    pub is_key: bool,
}

/// How the root key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKept {
    /// In a file as it is.
    Plain,
    /// As a credential that systemd has handed over, and guards.
    Credential,
    /// Sealed by this machine, for systemd to open.
    Sealed,
}

/// The version mark of the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// One that this version reads.
    Known(u32),
    /// One of a newer version.
    Newer(u32),
    /// None of ours.
    Foreign,
}

/// A file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// Bytes that may still be written.
    pub available: u64,
    /// What it is.
    pub kind: DiskKind,
}

/// What a file system is, where it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskKind {
    /// Nothing is to be said against it.
    Plain,
    /// It writes changed blocks elsewhere.
    CopyOnWrite,
    /// Layers of a container.
    Overlay,
    /// It lies on another machine.
    Network,
    /// It is gone with the power.
    Memory,
}

/// A group of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Its name, or its number where it has none.
    pub name: String,
    /// How many members the system's list names.
    pub members: u64,
}

/// A certificate.
#[derive(Clone, Debug)]
pub struct CertificateFacts {
    /// Whose it is: `ingress`, `local` or `metrics`.
    pub listener: &'static str,
    /// Its first and last second and what is to be said of it; or why it cannot be used.
    pub identity: Result<IdentityFacts, Unusable>,
}

/// Why a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Whoever asks may not read its files.
    Forbidden,
    /// The reason, with its remedy.
    Wrong(String),
}

/// A certificate that can be used.
#[derive(Clone, Debug)]
pub struct IdentityFacts {
    /// Its last second.
    pub not_after: UnixSeconds,
    /// What is to be said of it.
    pub findings: Vec<chain::Finding>,
}

/// What the gateway tells.
#[derive(Clone, Debug)]
pub enum Gateway {
    /// None runs.
    Down,
    /// One runs, but whoever asks may not speak to it.
    Forbidden,
    /// One runs and answers this to nothing but its state.
    Up(Box<Running>),
    /// Something listens, but does not answer as it should.
    Broken,
}

/// A listener, and whether it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerFacts {
    /// `ingress`, `local` or `metrics`.
    pub listener: &'static str,
    /// Where it was looked for.
    pub address: SocketAddr,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answers as it should.
    Answers,
    /// It shows another certificate than the file has.
    OtherCertificate,
    /// Nobody accepts connections.
    NoConnection,
    /// What answers does not speak TLS.
    NoTls,
}

/// A host of Garmin's, and whether it can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutwardFacts {
    /// The host.
    pub host: String,
    /// What came of it.
    pub outcome: Result<(), Unreached>,
}
