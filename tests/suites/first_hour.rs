//! The documents for those who run studygate, with what needs more than a plain machine: see first-hour.sh.
//!
//! `run PYTHON` runs every document but what is for root. `scripts FOLDER` writes what is for root as scripts there, to be
//! run where it can do no harm, and prints their names in the order in which a reader comes to them.

#![expect(clippy::print_stdout, reason = "a test without a harness tells its own progress")]

#[path = "../documented/mod.rs"]
mod documented;

use std::path::Path;
use std::time::Instant;

use documented::{Part, documents, run, write_scripts};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["run", python] => run_all(&Part::Everything((*python).into())),
        ["scripts", folder] => {
            for name in write_scripts(Path::new(folder)) {
                println!("{name}");
            }
        }
        _ => panic!("usage: first_hour run PYTHON | scripts FOLDER"),
    }
}

fn run_all(part: &Part) {
    for document in documents().iter().filter(|document| document.has(part)) {
        let begun = Instant::now();
        if let Err(told) = run(document, part) {
            panic!("{told}");
        }
        println!("  {}: {:.1} s", document.path.display(), begun.elapsed().as_secs_f64());
    }
}
