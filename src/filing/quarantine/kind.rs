//! What a file is, by how it begins: for a person who decides about it.

/// The kind of a file that begins so; at most its first 512 bytes are looked at.
pub fn kind(beginning: &[u8]) -> &'static str {
    let beginning = &beginning[..beginning.len().min(512)];
    let text = beginning.trim_ascii_start();
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let holds = |wanted: &[u8]| beginning.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted));
    match beginning {
        [] => "empty",
        [_, _, _, _, _, _, _, _, b'.', b'F', b'I', b'T', ..] => "fit",
        [b'P', b'K', 3, 4, ..] => "zip",
        [0x1F, 0x8B, ..] => "gzip",
        _ if text.starts_with(b"<") && holds(b"<gpx") => "gpx",
        _ if text.starts_with(b"<") && holds(b"<TrainingCenterDatabase") => "tcx",
        _ if text.starts_with(b"<") && holds(b"<html") => "html",
        _ if text.starts_with(b"<?xml") => "xml",
        _ if text.starts_with(b"{") || text.starts_with(b"[") => "json",
        _ if beginning.iter().all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace()) => "text",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(beginning: &[u8], expected: &str) {
        assert_eq!(kind(beginning), expected);
    }

    #[test]
    fn kind_is_told_by_the_beginning() {
        check(b"", "empty");
        check(b"\x0e\x10\x00\x00\x00\x00\x00\x00.FIT\x00\x00", "fit");
        check(b"PK\x03\x04rest", "zip");
        check(b"\x1f\x8b\x08", "gzip");
        check(b"<?xml version=\"1.0\"?>\n<gpx version=\"1.1\">", "gpx");
        check(b"\xEF\xBB\xBF<?xml version=\"1.0\"?><TrainingCenterDatabase>", "tcx");
        check(b"<?xml version=\"1.0\"?><other/>", "xml");
        check(b"<!DOCTYPE HTML><HTML>", "html");
        check(b" {\"error\":1}", "json");
        check(b"no such file\n", "text");
        check(b"\x00\x01\x02", "unknown");
    }
}
