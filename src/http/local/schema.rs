//! The shapes of requests and answers, declared beside their handlers and shown in the OpenAPI document.

use serde_json::{Map, Value, json};

/// A shape.
#[derive(Clone, Copy, Debug)]
pub(super) enum Schema {
    /// Any text.
    Text,
    /// A name or an id of 1 to 32 plain characters.
    Name,
    /// A person's words, at most 500 characters.
    Reason,
    /// Nothing but null.
    Null,
    /// An RFC 3339 time in UTC.
    Time,
    /// A date, or an RFC 3339 time.
    Moment,
    /// A date.
    Date,
    /// A whole number of at most so much, from 0.
    Number(u64),
    /// A whole number between these.
    Between(u64, u64),
    /// True or false.
    Flag,
    /// Nothing but true.
    True,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// This, or null.
    Nullable(&'static Schema),
    /// Any number of these.
    List(&'static Schema),
    /// These by names that are not known before.
    Map(&'static Schema),
    /// These members and no others.
    Object(&'static [Member]),
    /// All of these members and no others.
    Joined(&'static [&'static [Member]]),
    /// An object with at least these members.
    Open(&'static [Member]),
    /// A shape with a name of its own.
    Named(&'static str, &'static Schema),
    /// Anything.
    Any,
}

/// A member of an object, or a parameter of a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) schema: Schema,
    pub(super) needed: bool,
}

/// A whole number of any size.
pub(super) const COUNT: Schema = Schema::Number(u64::MAX);

/// A member that is always there.
pub(super) const fn needed(name: &'static str, schema: Schema) -> Member {
    Member { name, schema, needed: true }
}

/// A member that may be left out.
pub(super) const fn may(name: &'static str, schema: Schema) -> Member {
    Member { name, schema, needed: false }
}

/// What a route is, for people and programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// One sentence without a full stop.
    pub(super) summary: &'static str,
    /// The parameters of its query.
    pub(super) query: &'static [Member],
    /// The members of its body; `None` where it takes none.
    pub(super) body: Option<Schema>,
    /// What it answers.
    pub(super) answer: Answered,
}

/// What a route answers when it does what it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answered {
    /// 200 with JSON.
    Json(Schema),
    /// 201 with JSON.
    Made(Schema),
    /// 200 with bytes.
    Bytes,
}

impl Told {
    /// A route without query and body that answers this.
    pub(super) const fn new(summary: &'static str, answer: Answered) -> Self {
        Self { summary, query: &[], body: None, answer }
    }

    /// The same with a query.
    pub(super) const fn query(self, query: &'static [Member]) -> Self {
        Self { query, ..self }
    }

    /// The same with a body.
    pub(super) const fn body(self, body: Schema) -> Self {
        Self { body: Some(body), ..self }
    }
}

impl Schema {
    /// Its JSON Schema; what has a name goes into `named`.
    pub(super) fn json(&self, named: &mut Map<String, Value>) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Name => json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,32}$" }),
            Self::Reason => json!({ "type": "string", "minLength": 1, "maxLength": 500 }),
            Self::Null => json!({ "type": "null" }),
            Self::Time => json!({ "type": "string", "format": "date-time" }),
            Self::Moment => json!({
                "anyOf": [{ "type": "string", "format": "date" }, { "type": "string", "format": "date-time" }]
            }),
            Self::Date => json!({ "type": "string", "format": "date" }),
            Self::Number(u64::MAX) => json!({ "type": "integer", "minimum": 0 }),
            Self::Number(max) => json!({ "type": "integer", "minimum": 0, "maximum": max }),
            Self::Between(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::True => json!({ "const": true }),
            Self::Choice(names) => json!({ "enum": names }),
            Self::Nullable(schema) => json!({ "anyOf": [schema.json(named), { "type": "null" }] }),
            Self::List(schema) => json!({ "type": "array", "items": schema.json(named) }),
            Self::Map(schema) => json!({ "type": "object", "additionalProperties": schema.json(named) }),
            Self::Object(members) => object(&[members], false, named),
            Self::Joined(lists) => object(lists, false, named),
            Self::Open(members) => object(&[members], true, named),
            Self::Named(name, schema) => {
                if !named.contains_key(*name) {
                    let shown = schema.json(named);
                    named.insert((*name).to_owned(), shown);
                }
                json!({ "$ref": format!("#/components/schemas/{name}") })
            }
            Self::Any => json!({}),
        }
    }
}

fn object(lists: &[&[Member]], open: bool, named: &mut Map<String, Value>) -> Value {
    let members = || lists.iter().copied().flatten();
    let required: Vec<_> = members().filter(|member| member.needed).map(|member| member.name).collect();
    let properties: Map<_, _> = members().map(|member| (member.name.to_owned(), member.schema.json(named))).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": open })
}
