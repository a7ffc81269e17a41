//! The rewriter on any bytes: `cargo +nightly fuzz run --fuzz-dir tests/fuzz rewrite`.
#![no_main]

libfuzzer_sys::fuzz_target!(|object: &[u8]| studygate_fuzz::check_rewrite(object));
