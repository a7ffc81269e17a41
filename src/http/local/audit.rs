//! The audit log.
//!
//! | request | answer |
//! |---|---|
//! | GET audit?study=&code=&act=&from=&to=&limit=&after= | `{"entries": [ENTRY], "next"}`; `next` goes into `after` |
//! | POST audit/verify | `{"entries", "range", "proven_to", "head", "findings": [FINDING], "site_key"}` |
//!
//! ENTRY: `{"sequence", "at", "who", "act", "details", "study", "code"}`. FINDING: `{"file", "line", "byte",
//! "sequence", "fault", …, "text"}`.

use hyper::StatusCode;
use serde_json::json;

use crate::access::rights::Reach;
use crate::audit::list::Filter;
use crate::audit::{Act, Event, act};
use crate::http::local::times::{beginning, end};
use crate::http::local::{Answer, Call, Routes, json, page::Page};
use crate::http::problem::Problem;

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    let query = call.query(&["study", "code", "act", "from", "to", "limit", "after"])?;
    let page = Page::of(&query)?;
    let text = |name| Ok::<_, Problem>(query.one(name)?.map(str::to_owned));
    let after = page.after.as_deref().map_or(Ok(0), str::parse);
    let filter = Filter {
        study: text("study")?,
        within: match &call.reach {
            Reach::All => None,
            Reach::Studies(names) => Some(names.clone()),
        },
        code: text("code")?,
        act: text("act")?,
        from: query.one("from")?.map(|text| beginning("from", text)).transpose()?,
        to: query.one("to")?.map(|text| end("to", text)).transpose()?,
        limit: page.limit,
        after: after.map_err(|_| Problem::invalid("\"after\" is no entry's number."))?,
    };
    if filter.act.as_deref().is_some_and(|name| !act::NAMES.contains(&name)) {
        let known = act::NAMES.join(", ");
        return Err(Problem::invalid(format!("\"act\" is none of: {known}.")));
    }
    if let Some(study) = filter.study.as_deref().filter(|study| !call.reach.covers(study)) {
        // As of a study that does not exist, without a look at the log.
        call.did(Event::of_study(Act::AuditListed {}, study));
        return Ok(json(StatusCode::OK, &json!({ "entries": [], "next": null })));
    }
    let page = routes.audit.list(&filter).map_err(|error| {
        tracing::error!(%error, "the audit log cannot be read; run `studygate audit verify`");
        Problem::internal()
    })?;
    call.did(Event { act: Act::AuditListed {}, study: filter.study, code: filter.code });
    Ok(json(StatusCode::OK, &json!({ "entries": page.entries, "next": page.next })))
}

pub(super) fn verify(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let report = routes.audit.verify()?;
    call.did(Event::new(Act::AuditVerified { findings: report.findings.len() as u64 }));
    let mut answer = report.told();
    answer["site_key"] = json!(routes.audit.site_key());
    Ok(json(StatusCode::OK, &answer))
}
