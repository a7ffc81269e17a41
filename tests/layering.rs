//! Fails when a module imports one above it: `LAYERS` is the architecture, bottom first.

use std::{fs, path::Path};

const LAYERS: &[&[&str]] = &[
    &["model"],
    &["backoff", "clock", "crypto", "disk", "json", "lifecycle", "telemetry"],
    &["dataset", "journal", "store", "tls", "upstream"],
    &["access", "acme", "audit", "client", "people", "records"],
    &["backup", "queue"],
    &["coverage", "export", "ingest", "simulate", "withdrawal"],
    &["filing", "pull"],
    &["http"],
    &["config"],
    &["app"],
    &["demo", "doctor"],
    &["cli"],
];
const LINES_MAX: usize = 400;

#[test]
fn modules_only_import_downwards() {
    let mut errors = Vec::new();
    for (path, text) in sources(Path::new("src")) {
        let Some(module) = top_module(&path) else {
            continue;
        };
        let Some(own) = layer_of(&module) else {
            errors.push(format!("{path}: `{module}` is in no layer; add it to LAYERS"));
            continue;
        };
        if !text.starts_with("//!") {
            errors.push(format!("{path}: first line must be a `//!` module doc"));
        }
        if production_lines(&text) > LINES_MAX {
            errors.push(format!("{path}: more than {LINES_MAX} lines; split it"));
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains("use crate::{") || code.contains("super::super") {
                errors.push(format!("{path}:{}: import as `crate::module::Item`", number + 1));
            }
            for target in code.split("crate::").skip(1).map(first_ident) {
                let Some(other) = layer_of(target) else {
                    continue;
                };
                if other > own || (other == own && target != module) {
                    errors.push(format!("{path}:{}: {module} -> {target} is not downwards", number + 1));
                }
            }
        }
    }
    assert!(errors.is_empty(), "\n{}\n", errors.join("\n"));
}

/// The rules about where requests may go stand in `upstream`; a second client would go around them.
#[test]
fn only_upstream_names_the_client_for_callbacks() {
    for (path, text) in sources(Path::new("src")) {
        let names_it = text.lines().any(|line| line.split("//").next().is_some_and(|code| code.contains("reqwest")));
        assert!(!names_it || path.starts_with("src/upstream/"), "{path} names `reqwest`");
    }
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// `src/store/codec.rs` and `src/store.rs` both belong to `store`.
fn top_module(path: &str) -> Option<String> {
    let first = path.strip_prefix("src/")?.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

fn first_ident(rest: &str) -> &str {
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    &rest[..end]
}

fn production_lines(text: &str) -> usize {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().lines().count()
}

fn sources(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("readable source tree").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("readable source file");
            found.push((path.display().to_string(), text));
        }
    }
    found
}
