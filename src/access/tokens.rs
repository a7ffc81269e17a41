//! The tokens of the API over HTTPS: named, each of one role over one study or all of them, most of them expiring.
//!
//! A row each, `0·16 ‖ table ‖ half of the secret's keyed digest`, sealed under the index key: one byte of version, then
//! JSON. The digest's key is derived from the index key.
//!
//! Limits: 1,000 tokens; a name of 32 characters.
//!
//! Never: a secret, or a digest of it without a key; a token that is expired by the clock, or by the highest time seen.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::access::rights::{Grant, Scope};
use crate::access::role::Role;
use crate::access::secret::{Digest, Secret};
use crate::crypto::digest::DigestKey;
use crate::crypto::key::Rng;
use crate::crypto::keyring::Keyring;
use crate::crypto::seal::{Location, open, seal};
use crate::model::time::UnixSeconds;
use crate::store::engine::{self, Batch, Engine, SITE, row, table};

/// The most tokens there may be.
pub const TOKENS_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 32;
const VERSION: u8 = 1;
/// So much of the digest is the row's key.
const ITEM_BYTES: usize = 16;
/// A clock that is further ahead than this of the highest time seen, in seconds, does not move that.
const STEP_SECONDS_MAX: i64 = 86_400;

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What it may.
    pub grant: Grant,
    /// When it was made.
    pub created: UnixSeconds,
    /// From when on it is refused.
    pub expires: Option<UnixSeconds>,
    /// The day it was last used on, as its first second.
    pub last_used: Option<UnixSeconds>,
}

/// Why a token is not made, or not revoked.
#[derive(Clone, Debug)]
pub enum Error {
    /// A token of this name (in any letter case) exists.
    NameTaken,
    /// The text is no name.
    BadName,
    /// There are as many as there may be.
    TooMany,
    /// It would have expired already.
    Expired,
    /// A monitor sees the whole site, so it cannot be for one study.
    MonitorOfStudy,
    /// No token has this name.
    NoToken,
    /// The store failed.
    Store(engine::Error),
}

/// Why the tokens cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// The store failed.
    Store(engine::Error),
    /// A row was altered.
    Tampered,
    /// A row was written by a newer version.
    Newer,
}

/// All tokens. Shared; what changes them blocks until it is durable.
pub struct Tokens {
    engine: Arc<dyn Engine>,
    keyring: Arc<Keyring>,
    rng: Arc<Rng>,
    digests: DigestKey,
    held: RwLock<Held>,
    writing: Mutex<()>,
    highest_time: AtomicI64,
}

#[derive(Default)]
struct Held {
    by_name: BTreeMap<String, Stored>,
    names: HashMap<Digest, String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    name: String,
    role: Role,
    scope: Scope,
    created: UnixSeconds,
    expires: Option<UnixSeconds>,
    last_used: Option<UnixSeconds>,
    digest: Digest,
}

impl Tokens {
    /// Reads the tokens from the engine. `highest_time` is the highest time that was ever seen.
    pub fn open(
        engine: Arc<dyn Engine>,
        keyring: Arc<Keyring>,
        rng: Arc<Rng>,
        highest_time: UnixSeconds,
    ) -> Result<Self, Unreadable> {
        let digests = DigestKey::new(&keyring.site().index, "access token");
        let (mut held, mut failed) = (Held::default(), None);
        let prefix = row(&SITE, table::TOKEN, &[]);
        let scanned = engine.scan(&prefix, &mut |key, sealed| {
            match unsealed(&keyring, &key[prefix.len()..], sealed) {
                Ok(stored) => held.put(stored),
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        });
        scanned.map_err(Unreadable::Store)?;
        if let Some(error) = failed {
            return Err(error);
        }
        let (held, highest_time) = (RwLock::new(held), AtomicI64::new(highest_time.0));
        Ok(Self { engine, keyring, rng, digests, held, writing: Mutex::new(()), highest_time })
    }

    /// Makes a token; durable on return. Its secret is told this once.
    pub fn add(
        &self,
        name: &str,
        grant: Grant,
        expires: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Result<(Token, Secret), Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(plain) {
            return Err(Error::BadName);
        }
        if expires.is_some_and(|at| at <= now) {
            return Err(Error::Expired);
        }
        if grant.role == Role::Monitor && grant.scope != Scope::All {
            return Err(Error::MonitorOfStudy);
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_taken = |held: &Held| held.by_name.keys().any(|known| known.eq_ignore_ascii_case(name));
        if self.with(is_taken) {
            return Err(Error::NameTaken);
        }
        if self.with(|held| held.by_name.len()) >= TOKENS_MAX {
            return Err(Error::TooMany);
        }
        let secret = Secret::random(&*self.rng);
        let Grant { role, scope } = grant;
        let digest = secret.digest(&self.digests);
        let stored = Stored { name: name.to_owned(), role, scope, created: now, expires, last_used: None, digest };
        self.keep(&stored)?;
        Ok((stored.token(), secret))
    }

    /// Every token, by name.
    pub fn list(&self) -> Vec<Token> {
        self.with(|held| held.by_name.values().map(Stored::token).collect())
    }

    /// Ends a token; durable on return, and it opens nothing from then on.
    pub fn revoke(&self, name: &str) -> Result<Token, Error> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.with(|held| held.by_name.get(name).cloned()).ok_or(Error::NoToken)?;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        // Refused from here on, also where the store fails: then nothing goes on before a restart.
        held.by_name.remove(name);
        held.names.remove(&stored.digest);
        drop(held);
        let mut batch = Batch::default();
        batch.delete(key(&stored.digest));
        self.engine.commit(batch)?;
        Ok(stored.token())
    }

    /// The token of this secret, where there is one that has not expired.
    pub fn verify(&self, secret: &Secret, now: UnixSeconds) -> Option<Token> {
        let digest = secret.digest(&self.digests);
        let now = self.believed(now);
        let found = self.with(|held| Some(held.by_name.get(held.names.get(&digest)?)?.token()));
        found.filter(|token| token.expires.is_none_or(|at| now < at))
    }

    /// A token was used: kept once a day.
    pub fn used(&self, name: &str, now: UnixSeconds) -> Result<(), engine::Error> {
        let day = UnixSeconds(now.0 - now.0.rem_euclid(86_400));
        let is_later = |stored: &Stored| stored.last_used.is_none_or(|before| before < day);
        let needs = |held: &Held| held.by_name.get(name).is_some_and(is_later);
        if !self.with(needs) {
            return Ok(());
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked up again: it may have been revoked meanwhile.
        let Some(stored) = self.with(|held| held.by_name.get(name).filter(|stored| is_later(stored)).cloned()) else {
            return Ok(());
        };
        self.keep(&Stored { last_used: Some(day), ..stored })
    }

    /// The time by which tokens expire: no earlier than the highest that was seen, which a clock that leaps far ahead
    /// does not move.
    fn believed(&self, now: UnixSeconds) -> UnixSeconds {
        let highest = self.highest_time.load(Ordering::Relaxed);
        if now.0 > highest && now.0.saturating_sub(highest) <= STEP_SECONDS_MAX {
            self.highest_time.fetch_max(now.0, Ordering::Relaxed);
        }
        UnixSeconds(now.0.max(highest))
    }

    fn keep(&self, stored: &Stored) -> Result<(), engine::Error> {
        let mut plain = vec![VERSION];
        serde_json::to_writer(&mut plain, stored).expect("a token is text and numbers");
        let location = location(&stored.digest[..ITEM_BYTES]);
        let mut batch = Batch::default();
        batch.put(key(&stored.digest), seal(&self.keyring.site().index, location, &plain, &*self.rng));
        self.engine.commit(batch)?;
        self.held.write().unwrap_or_else(PoisonError::into_inner).put(stored.clone());
        Ok(())
    }

    fn with<T>(&self, read: impl FnOnce(&Held) -> T) -> T {
        read(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    fn put(&mut self, stored: Stored) {
        self.names.insert(stored.digest, stored.name.clone());
        self.by_name.insert(stored.name.clone(), stored);
    }
}

impl Stored {
    fn token(&self) -> Token {
        Token {
            name: self.name.clone(),
            grant: Grant { scope: self.scope.clone(), role: self.role },
            created: self.created,
            expires: self.expires,
            last_used: self.last_used,
        }
    }
}

fn unsealed(keyring: &Keyring, item: &[u8], sealed: &[u8]) -> Result<Stored, Unreadable> {
    let plain = open(&keyring.site().index, location(item), sealed).map_err(|_| Unreadable::Tampered)?;
    match plain.split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|_| Unreadable::Tampered),
        Some(_) => Err(Unreadable::Newer),
        None => Err(Unreadable::Tampered),
    }
}

fn location(item: &[u8]) -> Location<'_> {
    Location { table: "token", owner: &[], item }
}

fn key(digest: &Digest) -> Vec<u8> {
    row(&SITE, table::TOKEN, &digest[..ITEM_BYTES])
}

impl From<engine::Error> for Error {
    fn from(cause: engine::Error) -> Self {
        Self::Store(cause)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameTaken => "A token of this name exists; choose another name, or revoke that one first.",
            Self::BadName => "The token's name is none; use 1 to 32 of A-Z a-z 0-9 . _ -.",
            Self::TooMany => "There are 1,000 tokens; revoke those that nobody needs any longer.",
            Self::Expired => "\"expires\" lies in the past; name a later day.",
            Self::MonitorOfStudy => "A monitor sees the whole site; give it all studies.",
            Self::NoToken => "There is no such token; `studygate token list` shows them.",
            Self::Store(_) => "The store failed; the gateway recovers it when it is started again.",
        })
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(cause) => cause.fmt(f),
            Self::Tampered => {
                f.write_str("a token row of the store does not open: it was altered; restore the last backup")
            }
            Self::Newer => {
                f.write_str("a token row of the store is of a newer version; start the version that wrote it")
            }
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests;
