//! The same done to several things, one after the other.

use serde_json::Value;

use crate::cli::exit::{Exit, Failure};

/// Does it to each, also behind one that is gone or refused; the last failure is told with its id.
pub(super) fn each(ids: &[String], act: impl Fn(&str) -> Result<Value, Failure>) -> Result<(), Failure> {
    let mut failed = None;
    for id in ids {
        if let Err(failure) = act(id) {
            let exit = failure.exit;
            failed = Some(Failure::new(exit, format!("{id}: {}", failure.text)));
            if exit != Exit::NotFound && exit != Exit::Failed {
                break;
            }
        }
    }
    failed.map_or(Ok(()), Err)
}
