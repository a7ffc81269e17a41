//! What the person at the terminal is asked, one question after the other, each again where its answer cannot be used.

use std::path::PathBuf;

use crate::cli::confirm::Person;
use crate::cli::exit::{Exit, Failure};
use crate::cli::init::Flags;
use crate::cli::init::answers::{REFUSAL, host, visible};
use crate::cli::init::found::Standing;
use crate::dataset::recipient::Recipient;

const CERTIFICATE: &str = "/etc/studygate/tls/fullchain.pem";
const PRIVATE_KEY: &str = "/etc/studygate/tls/privkey.pem";
const BACKUPS: &str = "/var/backups/studygate";
const NONE: &str = "none";
const ACME: &str = "acme";
/// Somebody who types nonsense so often has gone.
const TRIES: usize = 5;

/// Asks for everything that neither a flag nor the configuration says.
pub(super) fn fill(flags: &mut Flags, standing: &Standing, person: &mut Person<'_>) -> Result<(), Failure> {
    if flags.host.is_none() {
        let question = "Name under which Garmin reaches this gateway, such as study.example.org: ";
        flags.host = Some(asked(person, question, host)?);
    }
    if flags.path.is_none() && standing.paths.is_none() {
        let question = "Path that notifications come to, to be kept secret [one made at random]: ";
        flags.path = Some(person.ask(question)?).filter(|path| !path.is_empty());
    }
    if flags.certificate.is_none() && flags.acme_contact.is_none() && standing.certificate().is_none() {
        certificate(flags, person)?;
    }
    if flags.backup_dir.is_none() && !flags.no_backup && standing.backup_dir.is_none() {
        let question = format!("Folder for the daily backups, best on another disk, or \"{NONE}\" [{BACKUPS}]: ");
        match asked(person, &question, |text| folder_or_none(text, BACKUPS))? {
            Some(dir) => flags.backup_dir = Some(dir),
            None => flags.no_backup = true,
        }
    }
    if flags.recipients.is_empty() && flags.no_recovery.is_none() {
        recovery(flags, person)?;
    }
    Ok(())
}

fn certificate(flags: &mut Flags, person: &mut Person<'_>) -> Result<(), Failure> {
    let question = format!("Certificate with its chain, PEM, or \"{ACME}\" to have one made [{CERTIFICATE}]: ");
    let file = |default: &'static str| move |text: &str| visible(or(text, default).into());
    match asked(person, &question, |text| if text == ACME { Ok(None) } else { file(CERTIFICATE)(text).map(Some) })? {
        Some(certificate) => {
            flags.certificate = Some(certificate);
            flags.private_key =
                Some(asked(person, &format!("Its private key, PEM [{PRIVATE_KEY}]: "), file(PRIVATE_KEY))?);
        }
        None => {
            let question = "Whom the certificate authority may write to, such as it@example.org: ";
            let address = |text: &str| {
                let is_address = text.contains('@') && !text.contains(char::is_whitespace);
                if is_address { Ok(text.to_owned()) } else { Err("that is no address".to_owned()) }
            };
            flags.acme_contact = Some(asked(person, question, address)?);
        }
    }
    Ok(())
}

fn recovery(flags: &mut Flags, person: &mut Person<'_>) -> Result<(), Failure> {
    let question = format!(
        "Whoever has the root key's escrow and a recovery key can bring this site back after its loss. Make a recovery\n\
         key elsewhere with `studygate dataset keygen` or `age-keygen`.\n\
         Recovery recipients, age1…, with spaces between, or \"{NONE}\": "
    );
    let parsed = |text: &str| -> Result<Vec<String>, String> {
        let words: Vec<_> = text.split_whitespace().map(ToOwned::to_owned).collect();
        match words.as_slice() {
            [] => Err(format!("name one, or \"{NONE}\"")),
            [word] if word == NONE => Ok(Vec::new()),
            words => {
                words
                    .iter()
                    .try_for_each(|word| Recipient::parse(word).map(drop).map_err(|error| error.to_string()))?;
                Ok(words.to_vec())
            }
        }
    };
    flags.recipients = asked(person, &question, parsed)?;
    if flags.recipients.is_empty() {
        let question = format!("Without an escrow, type this sentence: {REFUSAL}\n> ");
        let sentence = |text: &str| {
            if text == REFUSAL { Ok(text.to_owned()) } else { Err("that is not the sentence".to_owned()) }
        };
        flags.no_recovery = Some(asked(person, &question, sentence)?);
    }
    Ok(())
}

fn folder_or_none(text: &str, default: &str) -> Result<Option<PathBuf>, String> {
    if text == NONE { Ok(None) } else { visible(or(text, default).into()).map(Some) }
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

/// The answer once it can be used.
fn asked<T>(person: &mut Person<'_>, question: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, Failure> {
    let mut why = String::new();
    for _ in 0..TRIES {
        let question = if why.is_empty() { question.to_owned() } else { format!("({why})\n{question}") };
        match parse(&person.ask(&question)?) {
            Ok(answer) => return Ok(answer),
            Err(wrong) => why = wrong,
        }
    }
    Err(Failure::new(Exit::Usage, format!("{why}; nothing was done")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(standing: &Standing, typed: &str) -> (Result<Flags, Exit>, String) {
        let (mut flags, mut screen) = (Flags::default(), Vec::new());
        let mut person = Person { input: &mut typed.as_bytes(), screen: &mut screen };
        let done = fill(&mut flags, standing, &mut person).map_err(|failure| failure.exit);
        (done.map(|()| flags), String::from_utf8(screen).expect("text"))
    }

    #[test]
    fn empty_answers_are_the_defaults_that_are_shown() {
        let (flags, screen) = filled(&Standing::default(), &format!("study.example.org\n\n\n\n\nnone\n{REFUSAL}\n"));
        let flags = flags.expect("answered");
        assert_eq!((flags.host.as_deref(), flags.path), (Some("study.example.org"), None));
        assert_eq!(flags.certificate, Some(CERTIFICATE.into()));
        assert_eq!(flags.private_key, Some(PRIVATE_KEY.into()));
        assert_eq!((flags.backup_dir, flags.no_backup), (Some(BACKUPS.into()), false));
        assert_eq!(flags.no_recovery.as_deref(), Some(REFUSAL));
        for default in [CERTIFICATE, PRIVATE_KEY, BACKUPS] {
            assert!(screen.contains(default), "{screen}");
        }
    }

    #[test]
    fn answer_that_cannot_be_used_is_asked_for_again_with_the_reason_and_not_for_ever() {
        let recipient = age::x25519::Identity::generate().to_public().to_string();
        let typed =
            format!("https://x\nstudy.example.org\n/g/1\nacme\nnobody\nit@example.org\nnone\nage1x\n{recipient}\n");
        let (flags, screen) = filled(&Standing::default(), &typed);
        let flags = flags.expect("answered");
        assert_eq!((flags.path.as_deref(), flags.acme_contact.as_deref()), (Some("/g/1"), Some("it@example.org")));
        assert!(flags.no_backup);
        assert_eq!(flags.recipients, [recipient]);
        assert!(screen.contains("without scheme"), "{screen}");
        assert_eq!(filled(&Standing::default(), "").0.err(), Some(Exit::Usage));
    }

    #[test]
    fn what_stands_is_not_asked_for() {
        let standing = Standing {
            paths: Some(vec!["/g/1".into()]),
            files: Some(("/c".into(), "/k".into())),
            backup_dir: Some("/b".into()),
            ..Standing::default()
        };
        let (flags, screen) = filled(&standing, &format!("study.example.org\nnone\n{REFUSAL}\n"));
        assert!(flags.is_ok_and(|flags| flags.path.is_none() && flags.certificate.is_none()), "{screen}");
    }
}
