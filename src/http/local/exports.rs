//! The register of what was handed out.
//!
//! | request | answer |
//! |---|---|
//! | GET exports?study=&limit=&after= | `{"exports": [EXPORT], "next"}`: of all studies or one, by study and number |
//! | GET exports/{study}/{number} | the EXPORT with `codes` and `rules` |
//!
//! EXPORT: `{"study", "number", "made", "manifest_sha256", "participants", "sequence", "from", "to",
//! "some_participants", "revisions", "tables", "format", "rules_version", "recipients", "increment", "changes_since", "as_of",
//! "software", "by"}`. `since` of an increment is its `changes_since`. Of exports that earlier versions made only the
//! first five are known.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::audit::{Act, Event};
use crate::http::local::{Answer, Call, Routes, json, page::Page, views::RulesView};
use crate::http::problem::Problem;
use crate::model::study::Study;
use crate::people::refusal::Refusal;
use crate::people::register::Export;

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    let query = call.query(&["study", "limit", "after"])?;
    let page = Page::of(&query)?;
    let directory = routes.people.read();
    let asked = query.one("study")?;
    if let Some(name) = asked.filter(|name| !call.reach.covers(name)) {
        return Err(Refusal::no_study(name).into());
    }
    let studies: Vec<_> = match asked {
        Some(name) => vec![directory.study(name)?],
        None => directory.studies().filter(|study| call.reach.covers(&study.name)).collect(),
    };
    let mut exports = Vec::new();
    for study in &studies {
        exports.extend(routes.people.exports(&study.id)?.iter().map(|export| shown(study, export)));
    }
    let key = |export: &Value| {
        format!("{}~{:010}", export["study"].as_str().unwrap_or_default(), export["number"].as_u64().unwrap_or(0))
    };
    let (exports, next) = page.cut(exports, key);
    let listed = Act::ExportsListed {};
    call.did(asked.map_or_else(|| Event::new(listed.clone()), |name| Event::of_study(listed.clone(), name)));
    Ok(json(StatusCode::OK, &json!({ "exports": exports, "next": next })))
}

pub(super) fn show(routes: &Routes, call: &Call) -> Answer {
    call.query(&[])?;
    let directory = routes.people.read();
    let study = directory.study(call.study())?;
    let number = call.code().parse().map_err(|_| Problem::no_such_path())?;
    let export = routes.people.export(&study.id, number)?;
    let mut view = shown(study, &export);
    view["codes"] = export.members.iter().map(|member| member.code.as_str()).collect();
    if let Some(terms) = &export.terms {
        view["rules"] =
            serde_json::to_value(RulesView::new(&terms.rules)).expect("the views have text keys and finite numbers");
    }
    call.did_to_study(Act::ExportShown { number });
    Ok(json(StatusCode::OK, &view))
}

fn shown(study: &Study, export: &Export) -> Value {
    let mut view = json!({
        "study": study.name,
        "number": export.number,
        "made": export.made.to_string(),
        "manifest_sha256": export.manifest,
        "participants": export.participants,
    });
    if let (Some(terms), Some(members)) = (&export.terms, view.as_object_mut()) {
        let further = json!({
            "sequence": terms.sequence,
            "from": terms.window.first(),
            "to": terms.window.last(),
            "some_participants": terms.some_participants,
            "revisions": terms.revisions,
            "tables": terms.tables,
            "format": terms.format,
            "rules_version": terms.rules_version,
            "recipients": terms.recipients,
            "increment": terms.increment,
            "changes_since": terms.changes_since,
            "as_of": terms.as_of,
            "software": terms.software,
            "by": terms.by,
        });
        members.extend(further.as_object().cloned().unwrap_or_default());
    }
    view
}
