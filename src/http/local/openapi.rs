//! `GET openapi.json`: what the API is, made of the table of routes.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::http::local::schema::{Answered, Member, Schema, needed};
use crate::http::local::table::{ROUTES, Route};
use crate::http::local::{Answer, Call, Routes, json as answered};

const PROBLEM: Schema = Schema::Object(&[
    needed("type", Schema::Text),
    needed("title", Schema::Text),
    needed("status", Schema::Number(599)),
    needed("detail", Schema::Text),
]);

pub(super) fn show(_routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    Ok(answered(StatusCode::OK, &document()))
}

/// The document, OpenAPI 3.1.
fn document() -> Value {
    let mut named = Map::new();
    named.insert("Problem".to_owned(), PROBLEM.json(&mut Map::new()));
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(format!("/{}", route.path)).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route, &mut named);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "studygate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The local API of a studygate gateway: over its Unix socket, and over HTTPS with a token.",
        },
        "servers": [{ "url": "/api/v1" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": named,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": {
                "Problem": {
                    "description": "Refused; the detail says what to do",
                    "content": {
                        "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
                    },
                },
            },
        },
    })
}

fn operation(route: &Route, named: &mut Map<String, Value>) -> Value {
    let told = route.told;
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(
        |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }),
    );
    let in_query = told.query.iter().map(|Member { name, schema, needed }| {
        json!({ "name": name, "in": "query", "required": needed, "schema": schema.json(&mut Map::new()) })
    });
    let parameters: Vec<Value> = in_path.chain(in_query).collect();

    let mut responses = Map::new();
    let (status, description, content) = match told.answer {
        Answered::Json(schema) => ("200", "Done", json!({ "application/json": { "schema": schema.json(named) } })),
        Answered::Made(schema) => ("201", "Made", json!({ "application/json": { "schema": schema.json(named) } })),
        Answered::Bytes => ("200", "The bytes", json!({ "application/octet-stream": {} })),
    };
    responses.insert(status.to_owned(), json!({ "description": description, "content": content }));
    for status in refusals(route) {
        responses.insert(status.to_string(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    let mut operation = json!({
        "operationId": id(route),
        "summary": told.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = told.body {
        let schema = body.json(named);
        let required = schema["required"].as_array().is_some_and(|names| !names.is_empty());
        operation["requestBody"] =
            json!({ "required": required, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

/// `get-studies-study`.
fn id(route: &Route) -> String {
    let path: String = route.path.chars().filter(|character| !matches!(character, '{' | '}')).collect();
    format!("{}-{}", route.method.to_lowercase(), path.replace(['/', '.'], "-"))
}

/// The statuses with which a route may refuse.
fn refusals(route: &Route) -> Vec<u16> {
    let mut statuses = vec![400, 401, 403, 404, 408, 413, 429, 500, 503];
    if route.path.contains('{') || route.method != "GET" {
        statuses.extend([409, 423, 501]);
    }
    statuses.sort_unstable();
    statuses
}
