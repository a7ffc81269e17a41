//! `demo`: the whole job on loopback, in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::clock::{Clock as _, SystemClock};
use crate::demo::{self, Opened};

/// Runs the demo in this folder, or in a temporary one that is removed.
pub(super) fn run(dir: Option<&Path>) -> Result<(), Failure> {
    let place = dir.map_or_else(temporary, Path::to_owned);
    let empty = fs::create_dir_all(&place).and_then(|()| Ok(fs::read_dir(&place)?.next().is_none()));
    match empty {
        Ok(true) => {}
        Ok(false) => {
            let text = format!("{} is not empty, and nothing in it is touched; name a new folder", place.display());
            return Err(Failure::new(Exit::CannotCreate, text));
        }
        Err(error) => {
            let text = format!("{} cannot be made ({error}); name another folder", place.display());
            return Err(Failure::new(Exit::CannotCreate, text));
        }
    }
    let started = SystemClock.monotonic();
    let report = demo::run(&place, &mut output::message).map_err(|text| Failure::new(Exit::Failed, text));
    if dir.is_none() {
        fs::remove_dir_all(&place)?;
    }
    for Opened { title, rows } in report?.datasets {
        output::line("")?;
        output::line(&title)?;
        output::rows(&["file", "rows", "bytes"], &rows)?;
    }
    let seconds = SystemClock.monotonic().saturating_sub(started).as_secs_f64();
    output::message(&format!("done in {seconds:.1} s{}", kept(dir)));
    Ok(())
}

fn kept(dir: Option<&Path>) -> String {
    dir.map_or_else(String::new, |dir| format!("; keys, datasets and the gateway's data are in {}", dir.display()))
}

fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("studygate-demo-{}", std::process::id()))
}
