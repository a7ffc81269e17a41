//! Recipients: the X25519 public keys (`age1…`) that a study's datasets are encrypted to.
//!
//! Never: quotes the text that was given; it may be a secret key pasted by mistake.

use std::{fmt, str::FromStr};

use ring::digest::{SHA256, digest};

/// An age recipient that has been read and found valid.
#[derive(Clone)]
pub struct Recipient {
    key: age::x25519::Recipient,
    text: String,
}

/// Why a text is no recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotARecipient {
    /// It is a secret key.
    SecretKey,
    /// It is neither.
    Malformed,
}

impl Recipient {
    /// The recipient that this text names; white space around it is passed over.
    pub fn parse(text: &str) -> Result<Self, NotARecipient> {
        let text = text.trim();
        if text.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("AGE-SECRET-KEY")) {
            return Err(NotARecipient::SecretKey);
        }
        let key = age::x25519::Recipient::from_str(text).map_err(|_| NotARecipient::Malformed)?;
        let text = key.to_string();
        Ok(Self { key, text })
    }

    /// Its text, `age1…`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// SHA-256 of its text, as 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        data_encoding::HEXLOWER.encode(digest(&SHA256, self.text.as_bytes()).as_ref())
    }

    pub(super) fn key(&self) -> &age::x25519::Recipient {
        &self.key
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Recipient {}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.text)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for NotARecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretKey => {
                "that is a secret key, which must stay with the person who opens the datasets; give the public key \
                 that starts with age1 instead"
            }
            Self::Malformed => {
                "not an age recipient: give a public key that starts with age1, as `studygate dataset keygen` and \
                 `age-keygen` print it"
            }
        })
    }
}

impl std::error::Error for NotARecipient {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipient_survives_its_text_form() {
        let text = age::x25519::Identity::generate().to_public().to_string();
        let recipient = Recipient::parse(&format!(" {text}\n")).expect("a recipient");
        assert_eq!(recipient.as_str(), text);
        assert_eq!(recipient.fingerprint().len(), 64);
    }

    #[test]
    fn secret_key_is_refused_without_being_quoted() {
        let secret = age::x25519::Identity::generate().to_string();
        let text = age::secrecy::ExposeSecret::expose_secret(&secret);
        let refused = Recipient::parse(text).expect_err("a secret key is no recipient");
        assert_eq!(refused, NotARecipient::SecretKey);
        assert!(!refused.to_string().contains(text));
    }

    #[test]
    fn other_text_is_no_recipient() {
        for text in ["", "age1", "age1yubikey1qqqqqq", "ssh-ed25519 AAAA", "ägeägeägeäge"] {
            assert_eq!(Recipient::parse(text), Err(NotARecipient::Malformed), "{text}");
        }
    }
}
