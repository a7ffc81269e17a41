//! `GET studies/{study}/participants/{code}/disclose?recipient=age1…`: everything that is held on a participant, for the
//! participant.
//!
//! The answer is `application/octet-stream`, a zip in the age format, with its name in `Content-Disposition`; one that is
//! cut short opens nowhere. Refused for who has left: the receipt says what became of their data.

use crate::dataset::recipient::Recipient;
use crate::http::local::{Answer, Call, Routes, export::streamed};
use crate::http::problem::Problem;
use crate::people::decide::participant;
use crate::people::refusal::{Kind, Refusal};

pub(super) fn begin(routes: &Routes, call: &Call) -> Answer {
    let query = call.query(&["recipient"])?;
    let wanted = "\"recipient\" must be an age recipient, `age1…`, as `studygate dataset keygen` prints it.";
    let text = query.one("recipient")?.ok_or_else(|| Problem::invalid(wanted))?;
    let recipient = Recipient::parse(text).map_err(|_| Problem::invalid(wanted))?;
    let found = {
        let directory = routes.people.read();
        let study = directory.study(call.study())?;
        match participant::find(&directory, study, call.code()) {
            Ok(found) if found.is_readable() => found.id,
            Ok(_) | Err(Refusal::Withdrawn) => return Err(left(call)),
            Err(refusal) => return Err(refusal.into()),
        }
    };
    streamed(routes.desk.disclose(&found, &recipient, call.who())?)
}

fn left(call: &Call) -> Problem {
    let show = format!("studygate participant show --study {} --code {}", call.study(), call.code());
    let sentence = format!(
        "The participant has left, so nothing is disclosed; `{show}` gives the receipt that says what became of their \
         data, once the purge is done."
    );
    Refusal::Other(Kind::Conflict, sentence).into()
}
