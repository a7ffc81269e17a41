//! Asks before something is destroyed.

use std::io::{self, BufRead as _};

use crate::cli::{
    exit::{Exit, Failure},
    output,
};

const ANSWER_BYTES_MAX: usize = 4096;

/// The flags of a command that destroys.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct Consent {
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

impl Consent {
    /// The reason for doing `what` to `name`, once the person has typed the name, or has passed `--yes`.
    pub(super) fn obtain(&self, what: &str, name: &str) -> Result<String, Failure> {
        let mut person = Person { input: &mut io::stdin().lock(), screen: &mut io::stderr().lock() };
        self.obtain_from(what, name, output::has_person().then_some(&mut person))
    }

    fn obtain_from(&self, what: &str, name: &str, person: Option<&mut Person<'_>>) -> Result<String, Failure> {
        let Some(person) = person else {
            let missing = match (self.yes, &self.reason) {
                (true, Some(reason)) => return stated(reason),
                (false, Some(_)) => "--yes",
                (true, None) => "--reason TEXT",
                (false, None) => "--yes and --reason TEXT",
            };
            return Err(Failure::new(Exit::Usage, format!("this {what}, and nobody can be asked; add {missing}")));
        };
        let reason = match &self.reason {
            Some(reason) => stated(reason)?,
            None => stated(&person.ask("Reason, for the record: ")?)?,
        };
        if !self.yes && person.ask(&format!("This {what}. Type {name} to go on: "))? != name {
            return Err(Failure::new(Exit::Failed, "not confirmed, so nothing was done; type the name as it is shown"));
        }
        Ok(reason)
    }
}

/// Somebody who can be asked.
pub(super) struct Person<'a> {
    /// Where the answers come from.
    pub(super) input: &'a mut dyn io::BufRead,
    /// Where the questions go.
    pub(super) screen: &'a mut dyn io::Write,
}

impl Person<'_> {
    /// The answer to a question, without the white space around it.
    pub(super) fn ask(&mut self, question: &str) -> Result<String, Failure> {
        write!(self.screen, "{question}").and_then(|()| self.screen.flush())?;
        read_line(self.input)
    }
}

fn stated(reason: &str) -> Result<String, Failure> {
    match reason.trim() {
        "" => Err(Failure::new(Exit::Usage, "the reason is empty; give one with --reason TEXT")),
        reason => Ok(reason.to_owned()),
    }
}

/// The first line of the input, without its end and the white space around it.
pub(super) fn read_line(input: &mut dyn io::BufRead) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let mut limited = io::Read::take(input, ANSWER_BYTES_MAX as u64);
    limited.read_until(b'\n', &mut bytes).map_err(|error| {
        Failure::new(Exit::Failed, format!("the input cannot be read ({error}); type it or pipe it in"))
    })?;
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::new(Exit::Usage, "the input is not UTF-8; type it anew"))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(consent: (bool, Option<&str>), person: bool, typed: &str, expected: Result<&str, Exit>) {
        let consent = Consent { yes: consent.0, reason: consent.1.map(ToOwned::to_owned) };
        let mut somebody = Person { input: &mut typed.as_bytes(), screen: &mut io::sink() };
        let obtained = consent.obtain_from("destroys it", "A-1", person.then_some(&mut somebody));
        assert_eq!(obtained.map_err(|failure| failure.exit), expected.map(ToOwned::to_owned), "{consent:?} {typed:?}");
    }

    #[test]
    fn nobody_to_ask_needs_both_flags() {
        check((true, Some("left")), false, "", Ok("left"));
        check((false, Some("left")), false, "A-1\n", Err(Exit::Usage));
        check((true, None), false, "left\n", Err(Exit::Usage));
    }

    #[test]
    fn person_types_the_reason_and_the_name() {
        check((false, None), true, "left\nA-1\n", Ok("left"));
        check((false, Some("left")), true, "yes\n", Err(Exit::Failed));
        check((true, None), true, "left\n", Ok("left"));
        check((true, None), true, "\n", Err(Exit::Usage));
        check((false, None), true, "", Err(Exit::Usage));
    }
}
