//! Sizes (`"128MiB"`), spans of time (`"300s"`, `"30d"`), times of day and listeners as the file writes them.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

/// Bytes in a mebibyte.
pub const MEBIBYTE: u64 = 1 << 20;

const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", MEBIBYTE),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];
const SPAN_UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

/// A number of bytes in the largest binary unit that divides it, as the file writes it.
pub fn format_bytes(bytes: u64) -> String {
    let unit = [("GiB", 1_u64 << 30), ("MiB", MEBIBYTE), ("KiB", 1 << 10)]
        .into_iter()
        .find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    match unit {
        Some((name, size)) => format!("{}{name}", bytes / size),
        None => format!("{bytes}B"),
    }
}

pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    scaled(&text, &SIZE_UNITS)
        .ok_or_else(|| D::Error::custom("a size is a whole number and a unit, such as \"128MiB\" (B, KiB, MiB, GiB)"))
}

pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    scaled(&text, &SPAN_UNITS)
        .map(Duration::from_secs)
        .ok_or_else(|| D::Error::custom("a span of time is a whole number and a unit, such as \"300s\" (s, m, h, d)"))
}

/// `None` for an empty text, which switches a listener off.
pub(super) fn listener<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    socket_address(&text).map(Some).map_err(D::Error::custom)
}

pub(super) fn listeners<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| socket_address(text).map_err(D::Error::custom)).collect()
}

pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ipnet::IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| network(text).map_err(D::Error::custom)).collect()
}

fn network(text: &str) -> Result<ipnet::IpNet, String> {
    let lone = text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    text.parse::<ipnet::IpNet>()
        .or(lone)
        .map_err(|_| format!("\"{text}\" is no network such as \"192.0.2.0/24\" or \"2001:db8::/32\""))
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("\"{text}\" is no address with a port, such as \"[::]:443\" or \"127.0.0.1:9464\""))
}

/// Whole number times unit; `None` where either is missing, unknown or too large.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start())?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_a_number_and_a_unit() {
        let size = |text| scaled(text, &SIZE_UNITS);
        assert_eq!(size("128MiB"), Some(134_217_728));
        assert_eq!(size("100 MB"), Some(100_000_000));
        assert_eq!(size("16KiB"), Some(16_384));
        for wrong in ["128", "MiB", "", "-1MiB", "1.5GiB", "1mib", "99999999999999999999B", "18446744073709551615KiB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn span_is_a_number_and_a_unit() {
        let span = |text| scaled(text, &SPAN_UNITS);
        assert_eq!(span("300s"), Some(300));
        assert_eq!(span("30d"), Some(2_592_000));
        assert_eq!(span("5w"), None);
    }

    #[test]
    fn network_takes_a_lone_address_for_itself() {
        assert_eq!(network("192.0.2.7").map(|net| net.to_string()), Ok("192.0.2.7/32".to_owned()));
        assert!(network("192.0.2.0/33").is_err());
    }

    #[test]
    fn bytes_print_in_the_largest_unit_that_divides_them() {
        assert_eq!(format_bytes(128 * MEBIBYTE), "128MiB");
        assert_eq!(format_bytes(100_000_000), "100000000B");
        assert_eq!(format_bytes(0), "0B");
    }
}
