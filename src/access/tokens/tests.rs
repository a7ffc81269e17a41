//! Tokens: what opens, until when, and what is kept of them.

use ring::rand::SystemRandom;

use super::*;
use crate::crypto::key::Key;
use crate::store::memory::Memory;

/// 2026-11-01T05:00:00Z
const NOW: UnixSeconds = UnixSeconds(1_793_509_200);
const DAY: i64 = 86_400;

struct Site {
    _dir: tempfile::TempDir,
    engine: Arc<Memory>,
    keyring: Arc<Keyring>,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let keyring = Keyring::open(dir.path(), &Key::from_bytes([9; 32]), Arc::new(SystemRandom::new()));
        Self { _dir: dir, engine: Arc::default(), keyring: Arc::new(keyring.expect("a keyring")) }
    }

    fn tokens(&self) -> Tokens {
        let engine = Arc::clone(&self.engine) as Arc<dyn Engine>;
        Tokens::open(engine, Arc::clone(&self.keyring), Arc::new(SystemRandom::new()), NOW).expect("tokens")
    }
}

fn exporter() -> Grant {
    Grant { scope: Scope::Study("A".to_owned()), role: Role::Exporter }
}

fn add(tokens: &Tokens, name: &str, expires: Option<UnixSeconds>) -> Secret {
    tokens.add(name, exporter(), expires, NOW).expect("added").1
}

#[test]
fn token_opens_what_it_was_made_for_until_it_is_revoked_also_over_a_restart() {
    let site = Site::new();
    let secret = add(&site.tokens(), "r-scripts", None);
    let tokens = site.tokens();
    let found = tokens.verify(&secret, NOW).expect("known");
    assert_eq!((found.name.as_str(), &found.grant, found.created), ("r-scripts", &exporter(), NOW));
    assert!(tokens.verify(&Secret::random(&SystemRandom::new()), NOW).is_none());
    tokens.revoke("r-scripts").expect("revoked");
    assert!(tokens.verify(&secret, NOW).is_none() && site.tokens().verify(&secret, NOW).is_none());
    assert!(matches!(tokens.revoke("r-scripts"), Err(Error::NoToken)));
}

#[test]
fn expired_token_opens_nothing_also_where_the_clock_is_put_back() {
    let site = Site::new();
    let tokens = site.tokens();
    let secret = add(&tokens, "short", Some(NOW.plus(DAY)));
    assert!(tokens.verify(&secret, NOW.plus(DAY - 1)).is_some());
    assert!(tokens.verify(&secret, NOW.plus(DAY)).is_none());
    assert!(tokens.verify(&secret, NOW.plus(-DAY)).is_none(), "a clock that is put back revives nothing");
}

#[test]
fn clock_that_leaps_ahead_ends_a_token_only_while_it_is_ahead() {
    let site = Site::new();
    let tokens = site.tokens();
    let secret = add(&tokens, "short", Some(NOW.plus(30 * DAY)));
    assert!(tokens.verify(&secret, NOW.plus(4000 * DAY)).is_none());
    assert!(tokens.verify(&secret, NOW.plus(1)).is_some());
}

#[test]
fn last_use_is_kept_by_the_day_and_written_once_a_day() {
    let site = Site::new();
    let tokens = site.tokens();
    add(&tokens, "daily", None);
    let midnight = UnixSeconds(NOW.0 - 5 * 3600);
    for later in [0, 1, 18 * 3600] {
        tokens.used("daily", NOW.plus(later)).expect("kept");
        assert_eq!(site.tokens().list()[0].last_used, Some(midnight));
    }
    tokens.used("daily", NOW.plus(DAY)).expect("kept");
    tokens.used("daily", NOW).expect("an earlier day changes nothing");
    assert_eq!(site.tokens().list()[0].last_used, Some(midnight.plus(DAY)));
    tokens.used("nobody", NOW).expect("nothing to keep");
    assert_eq!(tokens.list().len(), 1);
}

#[test]
fn names_are_told_apart_and_checked() {
    let site = Site::new();
    let tokens = site.tokens();
    add(&tokens, "One", None);
    let refused = |name: &str, grant: Grant, expires| tokens.add(name, grant, expires, NOW).expect_err("refused");
    assert!(matches!(refused("oNE", exporter(), None), Error::NameTaken));
    for name in ["", "with space", "ä", &"x".repeat(33)] {
        assert!(matches!(refused(name, exporter(), None), Error::BadName), "{name}");
    }
    assert!(matches!(refused("late", exporter(), Some(NOW)), Error::Expired));
    let monitor = Grant { role: Role::Monitor, ..exporter() };
    assert!(matches!(refused("watch", monitor, None), Error::MonitorOfStudy));
}

#[test]
fn neither_name_nor_secret_stands_in_a_row_and_an_altered_one_is_found() {
    let site = Site::new();
    let secret = add(&site.tokens(), "some-name", None);
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let prefix = row(&SITE, table::TOKEN, &[]);
    let scanned = site.engine.scan(&prefix, &mut |found, sealed| {
        (key, value) = (found.to_vec(), sealed.to_vec());
        true
    });
    scanned.expect("scanned");
    let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    for part in [b"some-name".as_slice(), secret.text().as_bytes()] {
        assert!(!contains(&key, part) && !contains(&value, part));
    }
    let last = value.len() - 1;
    value[last] ^= 1;
    let mut batch = Batch::default();
    batch.put(key, value);
    site.engine.commit(batch).expect("committed");
    let engine = Arc::clone(&site.engine) as Arc<dyn Engine>;
    let opened = Tokens::open(engine, Arc::clone(&site.keyring), Arc::new(SystemRandom::new()), NOW);
    assert!(matches!(opened.err(), Some(Unreadable::Tampered)));
}
