//! Codes of participants, names of studies, and handles of held connections.
//!
//! A made code is `PREFIX-RRRRRRC`: the study's letters and digits, six random characters, a check character.
//! The check character is the sum of the random ones, each weighted by its place, modulo 31. Since 31 is prime it
//! finds every single wrong character and every swap of two.
//!
//! Never: a character that is easily taken for another (`0 O 1 I L`) in what is made here.

use crate::people::refusal::Refusal;

/// The longest code or study name, in characters.
pub const NAME_CHARS_MAX: usize = 32;
/// Characters of a handle.
pub const HANDLE_CHARS: usize = 8;

const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
const RANDOM_CHARS: usize = 6;
const PREFIX_CHARS_MAX: usize = 12;

/// A study name, or why the text is none.
pub fn study_name(text: &str) -> Result<&str, Refusal> {
    if is_name(text) { Ok(text) } else { Err(Refusal::BadStudyName(shortened(text))) }
}

/// A code, or why the text is none.
pub fn code(text: &str) -> Result<&str, Refusal> {
    if is_name(text) { Ok(text) } else { Err(Refusal::BadCode(shortened(text))) }
}

/// The key under which names are unique: two that differ in letter case alone would be one file on some systems.
pub fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// A code for a participant of this study, made of these random bytes.
pub fn made(study: &str, random: [u8; 16]) -> String {
    let body = characters(random, RANDOM_CHARS);
    let check = check_character(&body);
    format!("{}-{body}{check}", prefix(study))
}

/// Whether the text has the form of a code made for this study, but a wrong check character.
pub fn is_mistyped(study: &str, text: &str) -> bool {
    let Some(tail) = text.strip_prefix(&prefix(study)).and_then(|rest| rest.strip_prefix('-')) else {
        return false;
    };
    let well_formed = tail.len() == RANDOM_CHARS + 1 && tail.bytes().all(|byte| ALPHABET.contains(&byte));
    well_formed && !tail.ends_with(check_character(&tail[..RANDOM_CHARS]))
}

/// A handle made of these random bytes.
pub fn handle(random: [u8; 16]) -> String {
    characters(random, HANDLE_CHARS).to_ascii_lowercase()
}

/// At least one letter or digit: a name of dots alone would be a path.
fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// What a refusal may repeat of a text of any length.
fn shortened(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(NAME_CHARS_MAX + 8).collect()
}

fn prefix(study: &str) -> String {
    study.chars().filter(char::is_ascii_alphanumeric).take(PREFIX_CHARS_MAX).collect::<String>().to_ascii_uppercase()
}

/// Taking remainders of a number of 128 bits favours no character by more than 2^-80.
fn characters(random: [u8; 16], count: usize) -> String {
    let mut number = u128::from_be_bytes(random);
    let mut text = String::with_capacity(count);
    for _ in 0..count {
        let place = usize::try_from(number % 31).unwrap_or_default();
        text.push(char::from(ALPHABET[place]));
        number /= 31;
    }
    text
}

fn check_character(body: &str) -> char {
    let sum: usize = body
        .bytes()
        .enumerate()
        .map(|(index, byte)| (index + 1) * ALPHABET.iter().position(|known| *known == byte).unwrap_or_default())
        .sum();
    char::from(ALPHABET[sum % 31])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_the_contracts_characters_and_no_path() {
        for good in ["A", "a.b_c-1", "0", &"x".repeat(32)] {
            assert!(code(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-", "a b", "a/b", "é", "a\n", &"x".repeat(33)] {
            assert!(code(bad).is_err(), "{bad}");
            assert!(study_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn made_code_has_prefix_random_and_check_character() {
        let made = made("Alpha.2", [7; 16]);
        assert!(made.starts_with("ALPHA2-"), "{made}");
        assert_eq!(made.len(), "ALPHA2-".len() + 7);
        assert!(code(&made).is_ok());
        assert!(!is_mistyped("Alpha.2", &made));
    }

    #[test]
    fn every_wrong_character_and_every_swap_is_found() {
        let made = made("S", *b"\x91\x0f\x33\x58\x7a\x12\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef");
        let tail: Vec<u8> = made.as_bytes()[2..].to_vec();
        for place in 0..tail.len() {
            for other in ALPHABET.iter().filter(|other| **other != tail[place]) {
                let mut wrong = tail.clone();
                wrong[place] = *other;
                assert!(is_mistyped("S", &format!("S-{}", String::from_utf8_lossy(&wrong))));
            }
        }
        for place in 0..RANDOM_CHARS - 1 {
            let mut swapped = tail.clone();
            swapped.swap(place, place + 1);
            let found = is_mistyped("S", &format!("S-{}", String::from_utf8_lossy(&swapped)));
            assert_eq!(found, tail[place] != tail[place + 1]);
        }
    }

    #[test]
    fn code_of_ones_own_making_is_never_called_mistyped() {
        assert!(!is_mistyped("S", "P001"));
        assert!(!is_mistyped("S", "S-001"));
    }
}
