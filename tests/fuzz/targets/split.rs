//! The splitter on any bytes: `cargo +nightly fuzz run --fuzz-dir tests/fuzz split`.
#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| studygate_fuzz::check_split(body));
