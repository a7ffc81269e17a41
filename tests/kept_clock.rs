//! Whom the gateway's clock asks whether something keeps it right.
//!
//! A process of its own: starting programs while the library's tests open and close databases lends those programs
//! their locks for a moment.

use std::ffi::OsString;
use std::path::Path;

use studygate::clock::kept::{KeptClock, Sources};
use studygate::clock::{Clock as _, Synchronised};

fn said_by(mark: &Path, script: &str) -> Synchronised {
    let arguments = ["-c", script].map(OsString::from).to_vec();
    let clock = KeptClock::new(Sources { mark: mark.to_owned(), program: ("/bin/sh".into(), arguments) });
    assert_eq!(clock.synchronised(), Synchronised::No, "nobody was asked yet");
    clock.look();
    clock.synchronised()
}

#[test]
fn mark_of_timesyncd_is_believed_and_nobody_else_asked() {
    assert_eq!(said_by(Path::new("/"), "echo no"), Synchronised::Yes);
}

#[test]
fn without_the_mark_the_program_is_asked() {
    let none = Path::new("/nonexistent/synchronized");
    assert_eq!(said_by(none, "echo yes"), Synchronised::Yes);
    assert_eq!(said_by(none, "echo no"), Synchronised::No);
}

#[test]
fn nobody_knows_where_the_program_fails_or_says_something_else() {
    let none = Path::new("/nonexistent/synchronized");
    for script in ["echo yes; exit 1", "exit 0", "echo perhaps"] {
        assert_eq!(said_by(none, script), Synchronised::Unknown, "{script}");
    }
    let clock =
        KeptClock::new(Sources { mark: none.to_owned(), program: ("/nonexistent/timedatectl".into(), Vec::new()) });
    clock.look();
    assert_eq!(clock.synchronised(), Synchronised::Unknown);
}
