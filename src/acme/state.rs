//! What is known between two steps, as it lies sealed on disk.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::ZeroizeOnDrop;

use crate::acme::Wanted;
use crate::model::time::UnixSeconds;

/// A private key, PKCS#8 in hexadecimal; wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct PrivateKey(String);

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The account with the authority.
    pub account: Option<Account>,
    /// The order that is under way.
    pub order: Option<Order>,
    /// The certificate in use.
    pub certificate: Option<Held>,
    /// How often it failed since it last succeeded.
    pub failures: u32,
    /// Nothing is asked before.
    pub next_try: Option<UnixSeconds>,
    /// The last failure since it last succeeded: when, and in words.
    pub failed: Option<(UnixSeconds, String)>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// With which authority.
    pub directory: String,
    /// Its key.
    pub key: PrivateKey,
    /// Its name with the authority, once it has one.
    pub id: Option<String>,
    /// Whom the authority was told to write to.
    pub contact: String,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// With which authority.
    pub directory: String,
    /// For which names.
    pub domains: Vec<String>,
    /// Where the authority keeps it.
    pub url: String,
    /// The key to be certified.
    pub key: PrivateKey,
    /// How far it has come, as far as is known since the start.
    #[serde(skip)]
    pub standing: Standing,
    /// How often it was looked at in this standing, and when to look again.
    #[serde(skip)]
    pub looks: Looks,
}

/// How far an order has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// The authority has not been asked since the start.
    #[default]
    Unknown,
    /// The names are to be proved.
    Pending,
    /// The authority was told that it may look.
    Told,
    /// The certificate may be asked for.
    Ready,
    /// It is being issued.
    Processing,
    /// It is there.
    Valid,
}

/// Looks at an order that takes its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// How many.
    pub count: u32,
    /// When to look again.
    pub next: UnixSeconds,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// From which authority.
    pub directory: String,
    /// For which names.
    pub domains: Vec<String>,
    /// With its chain, PEM.
    pub chain: String,
    /// Its key.
    pub key: PrivateKey,
    /// When the next one is ordered.
    pub renew_at: UnixSeconds,
}

impl PrivateKey {
    /// The key of these bytes.
    pub fn of_pkcs8(der: &[u8]) -> Self {
        Self(data_encoding::HEXLOWER.encode(der))
    }

    /// Its bytes; `None` where the state does not hold any.
    pub fn pkcs8(&self) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        data_encoding::HEXLOWER.decode(self.0.as_bytes()).ok().map(zeroize::Zeroizing::new)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

impl State {
    /// The account with the wanted authority.
    pub fn account_for(&self, wanted: &Wanted) -> Option<&Account> {
        self.account.as_ref().filter(|account| account.directory == wanted.directory)
    }

    /// The order for what is wanted.
    pub fn order_for(&self, wanted: &Wanted) -> Option<&Order> {
        self.order.as_ref().filter(|order| order.directory == wanted.directory && order.domains == wanted.domains)
    }

    /// The certificate, where it is what is wanted.
    pub fn certificate_for(&self, wanted: &Wanted) -> Option<&Held> {
        self.certificate.as_ref().filter(|held| held.directory == wanted.directory && held.domains == wanted.domains)
    }
}
