//! Paths in a dataset: names that every file system takes and that stay within their folder.
//!
//! A participant's folder has the code for its name. A few codes are no such name: one that begins or ends with a dot,
//! or that Windows keeps for a device (`CON`, `nul.1`). Their folders are named with a `_` on either side, and so are
//! those of codes that have one there of their own, so that no two codes ever share a folder.

/// Whether a path stays within its folder, and can be made, on every system.
pub fn is_plain(path: &str) -> bool {
    path.split('/').all(is_name)
}

/// The name of a participant's folder; `None` for what is no code.
pub fn folder_of(code: &str) -> Option<String> {
    let underlined = code.starts_with('_') && code.ends_with('_');
    let name = if is_name(code) && !underlined { code.to_owned() } else { format!("_{code}_") };
    (!code.is_empty() && is_name(&name)).then_some(name)
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let dotted = name.starts_with('.') || name.ends_with('.');
    !name.is_empty() && !dotted && name.bytes().all(plain) && !is_device(name)
}

/// Whether Windows takes the name for a device; an extension makes no difference to it.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    let numbered = port.is_some_and(|number| number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit()));
    numbered || matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn path_that_leaves_the_folder_or_is_no_file_somewhere_is_not_plain() {
        for path in
            ["data/activities.csv", "README.txt", "raw/other-00.ndjson", "files/_.._/aaaa.fit", "CONFIG", "COMA"]
        {
            assert!(is_plain(path), "{path}");
        }
        for path in ["../x", "/etc/x", "data/../../x", "data//x", "C:\\x", "data/.hidden", "", "a\0b"] {
            assert!(!is_plain(path), "{path}");
        }
        for path in ["CON", "raw/nul.ndjson", "files/Com1/a.fit", "lpt9.x.y", "files/a./b", "aux"] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn every_code_has_a_plain_folder_of_its_own() {
        let codes =
            ["SLEEP-01", "-1", "a.b", ".a", "a.", "..", "CON", "con.1", "_CON_", "__CON__", "_a", "a_", "_a_", "_"];
        let mut folders = HashSet::new();
        for code in codes {
            let folder = folder_of(code).expect("a code");
            assert!(is_plain(&folder), "{code}: {folder}");
            assert!(folders.insert(folder.to_ascii_lowercase()), "{code}: {folder} twice");
        }
        assert_eq!(folder_of("SLEEP-01").as_deref(), Some("SLEEP-01"));
        assert_eq!(folder_of("CON").as_deref(), Some("_CON_"));
        assert_eq!(folder_of("_a").as_deref(), Some("_a"));
    }

    #[test]
    fn what_is_no_code_has_no_folder() {
        for text in ["", "a/b", "../a", "a b", "é", "a\0"] {
            assert_eq!(folder_of(text), None, "{text:?}");
        }
    }
}
