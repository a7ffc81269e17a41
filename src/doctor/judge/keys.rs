//! The root key and its escrow.

use crate::doctor::facts::{Facts, Gateway, KeyFacts, KeyKept, Look};
use crate::doctor::finding::Finding;
use crate::doctor::judge::{DAY, as_root};
use crate::doctor::sentence::{Own, Sentence};

const KEY: &str = "root_key";
const ESCROW: &str = "escrow";
/// Whoever holds an escrow changes jobs; it is to be tried now and then.
const ESCROW_TRIED_WITHIN: i64 = 400 * DAY;

pub(super) fn judge(facts: &Facts, found: &mut Vec<Finding>) {
    root_key(facts, found);
    if let Gateway::Up(running) = &facts.gateway {
        found.push(match running.escrow_verified {
            None => Finding::warning(
                ESCROW,
                Sentence::new("no escrow of the root key was ever verified: with the key all data would be lost"),
                Sentence::new(
                    "run `studygate keys escrow create` for two people who keep it apart, then \
                     `studygate keys escrow verify`",
                ),
            ),
            Some(at) if at.plus(ESCROW_TRIED_WITHIN) < facts.now => Finding::warning(
                ESCROW,
                Sentence::new("the escrow of the root key was last verified at ").time(at),
                Sentence::new("have its keepers open it again with `studygate keys escrow verify`"),
            ),
            Some(at) => Finding::ok(ESCROW, Sentence::new("an escrow of the root key was verified at ").time(at)),
        });
    }
}

fn root_key(facts: &Facts, found: &mut Vec<Finding>) {
    let path = &facts.settings.root_key;
    let named = |before: &'static str| Sentence::new(before).own(Own::Path, path.display());
    let key = match &facts.root_key {
        Look::Seen(key) => key,
        Look::Absent => {
            found.push(Finding::problem(
                KEY,
                named("there is no root key at "),
                Sentence::new("set keys.root_key to where it is, or restore it from its escrow"),
            ));
            return;
        }
        Look::Forbidden => {
            found.push(Finding::note(KEY, named("you may not look at the root key in "), as_root()));
            return;
        }
        Look::Failed(cause) => {
            found.push(Finding::problem(
                KEY,
                named("the root key cannot be read from ").and(": ").own(Own::Text, cause),
                Sentence::new("check the file and its disk"),
            ));
            return;
        }
    };
    found.extend(form(key, facts));
    if path.starts_with(&facts.settings.data_dir) {
        found.push(Finding::warning(
            KEY,
            Sentence::new("the root key lies within data_dir, so that whoever copies one has both"),
            Sentence::new("move it elsewhere, best into a systemd credential, and set keys.root_key"),
        ));
    }
}

fn form(key: &KeyFacts, facts: &Facts) -> Option<Finding> {
    let path = facts.settings.root_key.display();
    let kept = match key.kept {
        KeyKept::Plain => "a file",
        KeyKept::Credential => "a credential of systemd",
        KeyKept::Sealed => "a credential, sealed by this machine for systemd to open",
    };
    if !key.is_key && key.kept == KeyKept::Sealed {
        return Some(Finding::problem(
            KEY,
            Sentence::new("the sealed root key does not open on this machine"),
            Sentence::new("run doctor as root; if it says the same, seal the key anew from its escrow"),
        ));
    }
    if !key.is_key {
        return Some(Finding::problem(
            KEY,
            Sentence::new("the file of the root key holds no 64 hexadecimal digits"),
            Sentence::new("restore the right file from its escrow"),
        ));
    }
    // Of a credential the mode shows an access list as if the group might read.
    if key.file.mode & 0o077 != 0 && key.kept != KeyKept::Credential {
        return Some(Finding::problem(
            KEY,
            Sentence::new("others than its owner may read or write the root key"),
            Sentence::new("run `chmod 600 ").own(Own::Path, path).and("`"),
        ));
    }
    Some(Finding::ok(KEY, Sentence::new("the root key is there, as ").and(kept)))
}
