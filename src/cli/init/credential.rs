//! The root key sealed by `systemd-creds`: with the machine's TPM where it has one, else with the machine's own key.
//!
//! Never: the key on disk in clear; it goes to `systemd-creds` through its standard input, and what came of it is opened
//! again before anybody relies on it.

use std::io::{self, Read as _, Write as _};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

const PROGRAM: &str = "systemd-creds";
/// The name that the service asks for it by; a credential opens under its own name alone.
const NAME: &str = "--name=root.key";

/// What a credential is sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The machine's TPM and the key of this installation.
    Tpm,
    /// The key of this installation, a file of root's.
    Host,
}

/// The root key, sealed or not.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sealing {
    /// It is a credential.
    Sealed {
        /// What its file is to hold.
        credential: Vec<u8>,
        /// What seals it.
        by: By,
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
    fn seal(&self, by: By, secret: &[u8]) -> Result<Vec<u8>, String>;
    /// The secret of this credential.
    fn open(&self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, String>;
}

/// Seals by the best that works.
pub(super) fn seal(machine: &dyn Seals, secret: &[u8]) -> Sealing {
    let ways: &[By] = match machine.has_tpm() {
        None => return Sealing::Unsealed { why: format!("this machine has no {PROGRAM}") },
        Some(true) => &[By::Tpm, By::Host],
        Some(false) => &[By::Host],
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

fn proved(machine: &dyn Seals, by: By, secret: &[u8]) -> Result<Vec<u8>, String> {
    let credential = machine.seal(by, secret)?;
    if *machine.open(&credential)? == secret { Ok(credential) } else { Err("it opens to something else".to_owned()) }
}

/// The program of this machine.
pub(super) struct SystemdCreds;

impl Seals for SystemdCreds {
    fn has_tpm(&self) -> Option<bool> {
        let status = Command::new(PROGRAM)
            .args(["--quiet", "has-tpm2"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.ok().map(|status| status.success())
    }

    fn seal(&self, by: By, secret: &[u8]) -> Result<Vec<u8>, String> {
        // Bound to no state of the firmware: an update of it shall not keep the gateway from starting, and who can start
        // this machine's disk from another system has the TPM as well.
        let ways: &[&str] = match by {
            By::Tpm => &["--with-key=host+tpm2", "--tpm2-pcrs="],
            By::Host => &["--with-key=host"],
        };
        let sealed = through(Command::new(PROGRAM).arg("encrypt").arg(NAME).args(ways).args(["-", "-"]), secret)?;
        Ok(sealed.to_vec())
    }

    fn open(&self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        through(Command::new(PROGRAM).arg("decrypt").arg(NAME).args(["-", "-"]), credential)
    }
}

/// What the command makes of its input; else the last line of what it complained of.
fn through(command: &mut Command, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let told = |error: io::Error| format!("{PROGRAM} does not run ({error})");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(told)?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    // A key and a credential are shorter than what a pipe holds, so that nobody waits for the other.
    let written = stdin.write_all(input);
    drop(stdin);
    let mut output = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let read = child.stdout.take().expect("it was asked for").take(64 * 1024).read_to_end(&mut output);
    let mut complaint = String::new();
    let complained = child.stderr.take().expect("it was asked for").take(16 * 1024).read_to_string(&mut complaint);
    let status = child.wait().map_err(told)?;
    if status.success() {
        written.and(read).and(complained).map_err(told)?;
        return Ok(output);
    }
    let last = complaint.lines().last().unwrap_or("it does not say why");
    Err(format!("{PROGRAM} failed: {}", last.trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine on which these ways work.
    struct Machine {
        has_tpm: Option<bool>,
        seals: &'static [By],
        opens: bool,
    }

    impl Seals for Machine {
        fn has_tpm(&self) -> Option<bool> {
            self.has_tpm
        }

        fn seal(&self, by: By, secret: &[u8]) -> Result<Vec<u8>, String> {
            if self.seals.contains(&by) { Ok([b"sealed ", secret].concat()) } else { Err(format!("no {by:?}")) }
        }

        fn open(&self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
            let secret = credential.strip_prefix(b"sealed ").filter(|_| self.opens).unwrap_or(b"something else");
            Ok(Zeroizing::new(secret.to_vec()))
        }
    }

    fn check(machine: &Machine, expected: Result<(By, Option<&str>), &str>) {
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
        check(&machine(Some(true), &[By::Tpm, By::Host]), Ok((By::Tpm, None)));
        check(&machine(Some(true), &[By::Host]), Ok((By::Host, Some("no Tpm"))));
        check(&machine(Some(false), &[By::Tpm, By::Host]), Ok((By::Host, None)));
        check(&machine(Some(false), &[]), Err("no Host"));
        check(&machine(None, &[By::Host]), Err("this machine has no systemd-creds"));
    }

    #[test]
    fn credential_that_does_not_open_to_the_key_is_not_relied_on() {
        let machine = Machine { has_tpm: Some(true), seals: &[By::Tpm, By::Host], opens: false };
        check(&machine, Err("it opens to something else"));
    }
}
