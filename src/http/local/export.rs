//! `GET studies/{study}/export`: the encrypted dataset, streamed.
//!
//! Query: `participant` (a code, may stand several times), `tables` (names with commas between), `from`, `to`,
//! `revisions=true`, `format=csv|parquet|ndjson`; or `since` or
//! `as_of`, an export's number, whose scope it then has. The answer is
//! `application/octet-stream` with the dataset's name in `Content-Disposition`; one that is cut short is no dataset.

use hyper::{
    StatusCode,
    header::{CONTENT_DISPOSITION, HeaderValue},
};

use crate::dataset::{
    format::Format,
    tables::{TABLES, named},
};
use crate::http::local::{
    Answer, Call, Routes,
    desk::{ExportRequest, ExportStream, Revisions},
    members::Query,
    times::{window_beginning, window_end},
};
use crate::http::local_api::{LocalBody, LocalResponse};
use crate::http::problem::Problem;
use crate::model::participant::Window;
use crate::people::decide::participant;

const KNOWN: &[&str] = &["participant", "tables", "from", "to", "since", "as_of", "revisions", "format"];

pub(super) fn begin(routes: &Routes, call: &Call) -> Answer {
    let request = request(routes, call)?;
    streamed(routes.desk.export(request, call.who())?)
}

/// The answer that is a file of this name.
pub(super) fn streamed(stream: ExportStream) -> Answer {
    // The name is made of names, codes, numbers and dates, none of which holds a quote.
    let disposition = format!("attachment; filename=\"{}\"", stream.file_name);
    let disposition = HeaderValue::from_str(&disposition).map_err(|_| Problem::internal())?;
    Ok(LocalResponse {
        status: StatusCode::OK,
        content_type: "application/octet-stream",
        headers: vec![(CONTENT_DISPOSITION, disposition)],
        body: LocalBody::Stream(stream.pieces),
    })
}

fn request(routes: &Routes, call: &Call) -> Result<ExportRequest, Problem> {
    let query = call.query(KNOWN)?;
    let format = match query.one("format")? {
        None => Format::default(),
        Some(name) => Format::named(name)
            .ok_or_else(|| Problem::invalid("\"format\" must be \"csv\", \"parquet\" or \"ndjson\"."))?,
    };
    let tables = query.one("tables")?.map(tables).transpose()?.unwrap_or_default();
    let revisions = match query.one("revisions")? {
        None | Some("false") => Revisions::Current,
        Some("true") => Revisions::All,
        Some(_) => return Err(Problem::invalid("\"revisions\" must be true or false.")),
    };
    let window = Window {
        from: query.one("from")?.map(|text| window_beginning("from", text)).transpose()?,
        to: query.one("to")?.map(|text| window_end("to", text)).transpose()?,
    };
    participant::checked_window(&window)?;

    let directory = routes.people.read();
    let study = directory.study(call.study())?;
    let mut participants = Vec::new();
    for code in query.all("participant") {
        participants.push(participant::find(&directory, study, code)?.code.clone());
    }
    let (since, as_of) = (number(&query, "since")?, number(&query, "as_of")?);
    Ok(ExportRequest { study: study.name.clone(), participants, tables, format, window, revisions, since, as_of })
}

/// The tables of these names with commas between, in their own order.
fn tables(text: &str) -> Result<Vec<String>, Problem> {
    let wanted: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = wanted.iter().find(|name| named(name).is_none()) {
        let known: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        return Err(Problem::invalid(format!("There is no table \"{unknown}\"; choose among {}.", known.join(", "))));
    }
    let names = TABLES.iter().map(|table| table.name);
    Ok(names.filter(|name| wanted.contains(name)).map(str::to_owned).collect())
}

/// The number of an earlier export.
fn number(query: &Query, name: &str) -> Result<Option<u32>, Problem> {
    let Some(text) = query.one(name)? else { return Ok(None) };
    match text.parse() {
        Ok(number) if number > 0 => Ok(Some(number)),
        Ok(_) | Err(_) => Err(Problem::invalid(format!("\"{name}\" must be the number of an export, from 1."))),
    }
}
