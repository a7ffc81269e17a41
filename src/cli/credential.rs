//! The root key sealed by `systemd-creds`: with the machine's TPM where it has one, else with the machine's own key.
//!
//! Never: the key on disk in clear; it goes to `systemd-creds` through its standard input, and what came of it is opened
//! again before anybody relies on it.

use zeroize::Zeroizing;

use crate::config::{self, SealedBy};

/// The root key, sealed or not.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sealing {
    /// It is a credential.
    Sealed {
        /// What its file is to hold.
        credential: Vec<u8>,
        /// What seals it.
        by: SealedBy,
        /// Why not by the TPM, where there is one.
        note: Option<String>,
    },
    /// It cannot be made one.
    Unsealed {
        /// Why.
        why: String,
    },
}

/// What can seal: the machine's `systemd-creds`.
pub(super) trait Seals {
    /// Whether the machine has a TPM that can be used; `None` where it cannot seal at all.
    fn has_tpm(&self) -> Option<bool>;
    /// The credential of this secret.
    fn seal(&self, by: SealedBy, secret: &[u8]) -> Result<Vec<u8>, String>;
    /// The secret of this credential.
    fn open(&self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, String>;
}

/// Seals by the best that works.
pub(super) fn seal(machine: &dyn Seals, secret: &[u8]) -> Sealing {
    let ways: &[SealedBy] = match machine.has_tpm() {
        None => return Sealing::Unsealed { why: "this machine has no systemd-creds".to_owned() },
        Some(true) => &[SealedBy::Tpm, SealedBy::Host],
        Some(false) => &[SealedBy::Host],
    };
    let mut note = None;
    for &by in ways {
        match proved(machine, by, secret) {
            Ok(credential) => return Sealing::Sealed { credential, by, note },
            Err(why) => note = Some(why),
        }
    }
    Sealing::Unsealed { why: note.unwrap_or_default() }
}

fn proved(machine: &dyn Seals, by: SealedBy, secret: &[u8]) -> Result<Vec<u8>, String> {
    let credential = machine.seal(by, secret)?;
    if *machine.open(&credential)? == secret { Ok(credential) } else { Err("it opens to something else".to_owned()) }
}

/// The program of this machine.
pub(super) struct SystemdCreds;

impl Seals for SystemdCreds {
    fn has_tpm(&self) -> Option<bool> {
        config::has_tpm()
    }

    fn seal(&self, by: SealedBy, secret: &[u8]) -> Result<Vec<u8>, String> {
        config::seal_credential(by, secret)
    }

    fn open(&self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        config::open_credential(credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine on which these ways work.
    struct Machine {
        has_tpm: Option<bool>,
        seals: &'static [SealedBy],
        opens: bool,
    }

    impl Seals for Machine {
        fn has_tpm(&self) -> Option<bool> {
            self.has_tpm
        }

        fn seal(&self, by: SealedBy, secret: &[u8]) -> Result<Vec<u8>, String> {
            if self.seals.contains(&by) { Ok([b"sealed ", secret].concat()) } else { Err(format!("no {by:?}")) }
        }

        fn open(&self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
            let secret = credential.strip_prefix(b"sealed ").filter(|_| self.opens).unwrap_or(b"something else");
            Ok(Zeroizing::new(secret.to_vec()))
        }
    }

    fn check(machine: &Machine, expected: Result<(SealedBy, Option<&str>), &str>) {
        let expected = match expected {
            Ok((by, note)) => {
                Sealing::Sealed { credential: b"sealed key".to_vec(), by, note: note.map(ToOwned::to_owned) }
            }
            Err(why) => Sealing::Unsealed { why: why.to_owned() },
        };
        assert_eq!(seal(machine, b"key"), expected);
    }

    #[test]
    fn key_is_sealed_by_the_best_that_works_and_is_a_file_where_nothing_does() {
        let machine = |has_tpm, seals| Machine { has_tpm, seals, opens: true };
        check(&machine(Some(true), &[SealedBy::Tpm, SealedBy::Host]), Ok((SealedBy::Tpm, None)));
        check(&machine(Some(true), &[SealedBy::Host]), Ok((SealedBy::Host, Some("no Tpm"))));
        check(&machine(Some(false), &[SealedBy::Tpm, SealedBy::Host]), Ok((SealedBy::Host, None)));
        check(&machine(Some(false), &[]), Err("no Host"));
        check(&machine(None, &[SealedBy::Host]), Err("this machine has no systemd-creds"));
    }

    #[test]
    fn credential_that_does_not_open_to_the_key_is_not_relied_on() {
        let machine = Machine { has_tpm: Some(true), seals: &[SealedBy::Tpm, SealedBy::Host], opens: false };
        check(&machine, Err("it opens to something else"));
    }
}
