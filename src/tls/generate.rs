//! Self-signed certificates for a trial site and for the demo.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use zeroize::Zeroizing;

use crate::model::time::UnixSeconds;

/// A certificate and its key, as PEM text.
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key; wiped when dropped.
    pub private_key: Zeroizing<String>,
}

/// A name is neither a host name nor an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName;

/// A self-signed certificate for these host names and addresses, valid from the day before `now` for `days` days
/// after it.
pub fn self_signed(names: &[String], now: UnixSeconds, days: u16) -> Result<Pair, BadName> {
    let key = KeyPair::generate().expect("ring makes P-256 keys");
    let mut params = CertificateParams::new(names).map_err(|_| BadName)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "studygate");
    let midnight = |(year, month, day)| rcgen::date_time_ymd(year, month, day);
    params.not_before = midnight(date(now.plus(-86_400)));
    params.not_after = midnight(date(now.plus(i64::from(days) * 86_400)));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key).map_err(|_| BadName)?;
    Ok(Pair { certificate: certificate.pem(), private_key: Zeroizing::new(key.serialize_pem()) })
}

/// Year, month and day in UTC.
fn date(time: UnixSeconds) -> (i32, u8, u8) {
    let text = time.date();
    let mut numbers = text.split('-').map(|digits| digits.parse::<u16>().unwrap_or(1));
    let mut next = || numbers.next().unwrap_or(1);
    let (year, month, day) = (next(), next(), next());
    (i32::from(year), u8::try_from(month).unwrap_or(1), u8::try_from(day).unwrap_or(1))
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name for the certificate is neither a host name nor an IP address")
    }
}

impl std::error::Error for BadName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_that_no_certificate_can_hold_is_refused() {
        let result = self_signed(&["naïve.example".to_owned()], UnixSeconds(0), 1);
        assert_eq!(result.map(|_| ()), Err(BadName));
    }
}
