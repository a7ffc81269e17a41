//! A secret small enough to be held in memory, in age: what a site puts by for the day it has lost everything else.
//!
//! Never: a copy of the secret that is not wiped.

use std::io::{self, Read as _, Write as _};

use zeroize::Zeroizing;

use crate::dataset::keyfile::Identities;
use crate::dataset::open::{Error, header_error};
use crate::dataset::recipient::Recipient;

/// The longest secret, in bytes.
pub const BYTES_MAX: usize = 4096;

/// The secret as every one of the recipients can open it, with this program or with `age`; there must be at least one.
pub fn encrypt(secret: &[u8], recipients: &[Recipient]) -> io::Result<Vec<u8>> {
    let keys = recipients.iter().map(|recipient| recipient.key() as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(keys).map_err(io::Error::other)?;
    let mut writer = encryptor.wrap_output(Vec::new())?;
    writer.write_all(secret)?;
    writer.finish()
}

/// The secret, opened with one of the keys.
pub fn decrypt(sealed: &[u8], identities: &Identities) -> Result<Zeroizing<Vec<u8>>, Error> {
    let decryptor = age::Decryptor::new_buffered(sealed).map_err(header_error)?;
    let reader = decryptor.decrypt(identities.iter()).map_err(header_error)?;
    // All at once: a vector that grows leaves copies behind.
    let mut secret = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    reader.take(BYTES_MAX as u64 + 1).read_to_end(&mut secret).map_err(|_| Error::Damaged)?;
    if secret.len() > BYTES_MAX { Err(Error::UnknownFormat) } else { Ok(secret) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use age::secrecy::ExposeSecret as _;

    fn pair() -> (Recipient, Identities) {
        let identity = age::x25519::Identity::generate();
        let recipient = Recipient::parse(&identity.to_public().to_string()).expect("a recipient");
        (recipient, Identities::parse(identity.to_string().expose_secret()).expect("a key"))
    }

    #[test]
    fn each_recipient_opens_it_and_nobody_else_does() {
        let ((one, opens_one), (two, opens_two), (_, neither)) = (pair(), pair(), pair());
        let sealed = encrypt(b"a secret", &[one, two]).expect("encrypted");
        for identities in [opens_one, opens_two] {
            assert_eq!(*decrypt(&sealed, &identities).expect("opened"), b"a secret");
        }
        assert!(matches!(decrypt(&sealed, &neither), Err(Error::NoMatchingKey)));
        assert!(!sealed.windows(8).any(|part| part == b"a secret"));
    }

    #[test]
    fn cut_altered_or_foreign_bytes_are_told_apart() {
        let (recipient, identities) = pair();
        let sealed = encrypt(b"a secret", &[recipient]).expect("encrypted");
        let mut altered = sealed.clone();
        *altered.last_mut().expect("bytes") ^= 1;
        assert!(matches!(decrypt(&altered, &identities), Err(Error::Damaged)));
        assert!(matches!(decrypt(&sealed[..sealed.len() - 1], &identities), Err(Error::Damaged)));
        assert!(matches!(decrypt(b"no age file", &identities), Err(Error::NotEncrypted)));
    }
}
