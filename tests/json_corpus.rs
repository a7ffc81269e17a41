//! Replays the committed corpus of the fuzz targets (`tests/fuzz`).

use std::fs;
use std::path::Path;

#[path = "fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "public to the fuzz targets")]
mod fuzz;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new("tests/fuzz/corpus").join(target);
    let mut count = 0;
    for file in fs::read_dir(&folder).expect("a committed corpus").flatten() {
        let bytes = fs::read(file.path()).expect("a readable file");
        let name = file.path().display().to_string();
        let result = std::panic::catch_unwind(|| check(&bytes));
        assert!(result.is_ok(), "{name} fails");
        count += 1;
    }
    assert!(count >= 20, "only {count} files in {}", folder.display());
}

#[test]
fn corpus_of_the_splitter_holds() {
    replay("split", fuzz::check_split);
}

#[test]
fn corpus_of_the_rewriter_holds() {
    replay("rewrite", fuzz::check_rewrite);
}

/// The checks themselves must be able to fail: the corpus has bodies that are taken and bodies that are refused.
#[test]
fn corpus_has_good_and_bad_bodies() {
    let mut taken = [0, 0];
    for file in fs::read_dir("tests/fuzz/corpus/split").expect("a committed corpus").flatten() {
        let bytes = fs::read(file.path()).expect("a readable file");
        let good = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
        taken[usize::from(good)] += 1;
    }
    assert!(taken[0] >= 5 && taken[1] >= 5, "{taken:?}");
}
