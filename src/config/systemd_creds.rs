//! `systemd-creds`, which seals a root key for this machine alone, and opens it for root.
//!
//! Never: a key on its command line or on disk; keys and credentials go through pipes.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

const PROGRAM: &str = "systemd-creds";
/// The name that the service asks for it by; a credential opens under its own name alone.
const NAME: &str = "--name=root.key";
/// A credential of a root key is far shorter.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;

/// What a credential is sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedBy {
    /// The machine's TPM and the key of this installation.
    Tpm,
    /// The key of this installation, a file of root's.
    Host,
}

/// Whether the machine has a TPM that can be used; `None` where it has no `systemd-creds`.
pub fn has_tpm() -> Option<bool> {
    let mut command = Command::new(PROGRAM);
    command.args(["--quiet", "has-tpm2"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().ok().map(|status| status.success())
}

/// The credential of this root key's text; else why there is none, without a full stop.
pub fn seal_credential(by: SealedBy, text: &[u8]) -> Result<Vec<u8>, String> {
    // Bound to no state of the firmware: an update of it shall not keep the gateway from starting, and who can start
    // this machine's disk from another system has the TPM as well.
    let ways: &[&str] = match by {
        SealedBy::Tpm => &["--with-key=host+tpm2", "--tpm2-pcrs="],
        SealedBy::Host => &["--with-key=host"],
    };
    let sealed = through(Command::new(PROGRAM).arg("encrypt").arg(NAME).args(ways).args(["-", "-"]), text)?;
    Ok(sealed.to_vec())
}

/// The text that this credential holds; else why it does not open, without a full stop.
pub fn open_credential(credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    through(Command::new(PROGRAM).arg("decrypt").arg(NAME).args(["-", "-"]), credential)
}

/// The same of a file.
pub(super) fn open_credential_file(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    open_credential(&std::fs::read(file).map_err(|error| format!("it cannot be read ({error})"))?)
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
    // All at once: a vector that grows leaves copies behind.
    let mut output = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let read = child.stdout.take().expect("it was asked for").take(OUTPUT_BYTES_MAX).read_to_end(&mut output);
    let mut complaint = String::new();
    let complained =
        child.stderr.take().expect("it was asked for").take(OUTPUT_BYTES_MAX).read_to_string(&mut complaint);
    let status = child.wait().map_err(told)?;
    if status.success() {
        written.and(read).and(complained).map_err(told)?;
        return Ok(output);
    }
    let last = complaint.lines().last().unwrap_or("it does not say why");
    Err(format!("{PROGRAM} failed: {}", last.trim_end_matches('.')))
}
