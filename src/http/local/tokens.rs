//! `tokens`: named keys to the API over HTTPS.
//!
//! | request | body | answer |
//! |---|---|---|
//! | GET tokens | | `{"tokens": [TOKEN], "next"}` by name |
//! | POST tokens | `{"name", "study" or "all": true, "role", "expires"?}` | 201, TOKEN and, this once, `"token"` |
//! | DELETE tokens/{name} | `{"reason"}` | `{"name", "revoked": true}` |
//!
//! TOKEN: `{"name", "role", "study" (null: all), "created", "expires", "expired", "last_used"}`; `last_used` is a date.

use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::access::rights::{Grant, Scope};
use crate::access::role::Role;
use crate::access::tokens::Token;
use crate::audit::{Act, Event};
use crate::http::local::{Answer, Call, Routes, json, page::Page, studies::reason, times::end};
use crate::http::problem::Problem;
use crate::model::time::UnixSeconds;

#[derive(Serialize)]
struct TokenView {
    name: String,
    role: &'static str,
    study: Option<String>,
    created: String,
    expires: Option<String>,
    expired: bool,
    last_used: Option<String>,
}

pub(super) fn list(routes: &Routes, call: &Call) -> Answer {
    let page = Page::of(&call.query(Page::QUERY)?)?;
    let now = routes.now();
    let views = routes.access.tokens.list().into_iter().map(|token| TokenView::new(token, now));
    let (tokens, next) = page.cut(views.collect(), |view| view.name.clone());
    Ok(json(StatusCode::OK, &json!({ "tokens": tokens, "next": next })))
}

pub(super) fn add(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&["name", "study", "all", "role", "expires"])?;
    let name = members.needed_text("name")?;
    let study = members.text("study")?;
    let all = members.flag("all")?.unwrap_or_default();
    let roles = Role::ALL.map(|role| (role.name(), role));
    let role = members.choice("role", &roles)?;
    let role = role.ok_or_else(|| Problem::invalid("\"role\" is missing; `studygate token add --help` names them."))?;
    let expires = members.text("expires")?.map(|text| end("expires", &text)).transpose()?;
    let scope = match (study, all) {
        (Some(study), false) => Scope::Study(routes.people.study(&study)?.name.clone()),
        (None, true) => Scope::All,
        (Some(_), true) | (None, false) => {
            return Err(Problem::invalid("Give either \"study\", or \"all\" as true for every study and the site."));
        }
    };
    let (token, secret) = routes.access.tokens.add(&name, Grant { scope, role }, expires, routes.now())?;
    let shown = TokenView::new(token, routes.now());
    call.did(Event {
        act: Act::TokenAdded { token: shown.name.clone(), role: role.name(), expires: shown.expires.clone() },
        study: shown.study.clone(),
        code: None,
    });
    let mut answer = json!(shown);
    answer["token"] = json!(*secret.text());
    Ok(json(StatusCode::CREATED, &answer))
}

pub(super) fn revoke(routes: &Routes, call: &Call) -> Answer {
    let reason = reason(call.members(&["reason"])?.text("reason")?, true)?;
    let name = call.arguments.first().map_or("", String::as_str);
    let token = routes.access.tokens.revoke(name)?;
    let study = match token.grant.scope {
        Scope::Study(study) => Some(study),
        Scope::All => None,
    };
    call.did(Event { act: Act::TokenRevoked { token: token.name.clone(), reason }, study, code: None });
    Ok(json(StatusCode::OK, &json!({ "name": token.name, "revoked": true })))
}

impl TokenView {
    fn new(token: Token, now: UnixSeconds) -> Self {
        let Token { name, grant: Grant { scope, role }, created, expires, last_used } = token;
        let study = match scope {
            Scope::Study(study) => Some(study),
            Scope::All => None,
        };
        Self {
            name,
            role: role.name(),
            study,
            created: created.to_string(),
            expired: expires.is_some_and(|at| at <= now),
            expires: expires.map(|at| at.to_string()),
            last_used: last_used.map(UnixSeconds::date),
        }
    }
}
