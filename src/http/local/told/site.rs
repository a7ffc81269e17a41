//! The site as a whole, and datasets.

use crate::http::local::page::PARAMETERS;
use crate::http::local::schema::{Answered, COUNT, Member, Schema, Told, may, needed};
use crate::http::local::told::{NEXT, NULL_NAME, NULL_TEXT, NULL_TIME, REASONED};

pub(in crate::http::local) const EXPORT: Told = Told::new("Take the encrypted dataset of a study", Answered::Bytes)
    .query(&[
        may("participant", Schema::List(&Schema::Text)),
        may("tables", Schema::Text),
        may("from", Schema::Moment),
        may("to", Schema::Moment),
        may("since", Schema::Between(1, 4_294_967_295)),
        may("as_of", Schema::Between(1, 4_294_967_295)),
        may("revisions", Schema::Flag),
        may("format", Schema::Choice(&["csv", "parquet", "ndjson"])),
    ]);
pub(in crate::http::local) const AUDIT: Told = Told::new(
    "List the audit log, the oldest entry first",
    Answered::Json(Schema::Object(&[
        needed("entries", Schema::List(&ENTRY)),
        needed("next", Schema::Nullable(&COUNT)),
    ])),
)
.query(&[
    may("study", Schema::Text),
    may("code", Schema::Text),
    may("act", Schema::Choice(crate::audit::act::NAMES)),
    may("from", Schema::Moment),
    may("to", Schema::Moment),
    PARAMETERS[0],
    may("after", COUNT),
]);
pub(in crate::http::local) const AUDIT_VERIFY: Told = Told::new(
    "Verify the whole audit log",
    Answered::Json(Schema::Open(&[
        needed("entries", COUNT),
        needed("findings", Schema::List(&Schema::Any)),
        needed("site_key", Schema::Text),
    ])),
)
.body(Schema::Object(&[]));
pub(in crate::http::local) const BACKUPS: Told = Told::new(
    "List the backups that are known of, the oldest first",
    Answered::Json(Schema::Object(&[needed("backups", Schema::List(&BACKUP))])),
);
pub(in crate::http::local) const BACKUP_NEW: Told = Told::new("Make a backup and take it", Answered::Bytes);
pub(in crate::http::local) const PURGE_LOG: Told = Told::new("Take the purge log", Answered::Bytes);
pub(in crate::http::local) const STATUS: Told =
    Told::new("Show how the gateway is", Answered::Json(Schema::Open(&[needed("ready", Schema::Flag)])));
pub(in crate::http::local) const OPENAPI: Told =
    Told::new("Show what the API is", Answered::Json(Schema::Open(&[needed("openapi", Schema::Text)])));
pub(in crate::http::local) const TOKENS: Told = Told::new(
    "List the tokens of the API",
    Answered::Json(Schema::Object(&[
        needed("tokens", Schema::List(&Schema::Named("Token", &Schema::Object(TOKEN)))),
        NEXT,
    ])),
)
.query(&PARAMETERS);
pub(in crate::http::local) const TOKEN_ADD: Told = Told::new(
    "Make a token; its secret is answered this once",
    Answered::Made(Schema::Joined(&[TOKEN, &[needed("token", Schema::Text)]])),
)
.body(Schema::Object(&[
    needed("name", Schema::Name),
    may("study", NULL_NAME),
    may("all", Schema::Flag),
    needed("role", ROLE),
    may("expires", Schema::Nullable(&Schema::Moment)),
]));
pub(in crate::http::local) const TOKEN_REVOKE: Told = Told::new(
    "Revoke a token",
    Answered::Json(Schema::Object(&[needed("name", Schema::Name), needed("revoked", Schema::True)])),
)
.body(REASONED);

const BACKUP: Schema = Schema::Named(
    "Backup",
    &Schema::Object(&[
        needed("id", Schema::Text),
        needed("made_at", Schema::Time),
        needed("file", NULL_TEXT),
        needed("bytes", COUNT),
        needed("verified_at", Schema::Nullable(&Schema::Time)),
    ]),
);

const ROLE: Schema = Schema::Choice(&["viewer", "exporter", "coordinator", "auditor", "monitor", "admin"]);
const TOKEN: &[Member] = &[
    needed("name", Schema::Name),
    needed("role", ROLE),
    needed("study", NULL_TEXT),
    needed("created", Schema::Time),
    needed("expires", NULL_TIME),
    needed("expired", Schema::Flag),
    needed("last_used", Schema::Nullable(&Schema::Date)),
];
const ENTRY: Schema = Schema::Named(
    "AuditEntry",
    &Schema::Object(&[
        needed("sequence", COUNT),
        needed("at", Schema::Time),
        needed("who", Schema::Any),
        needed("act", Schema::Text),
        needed("details", Schema::Any),
        needed("study", NULL_TEXT),
        needed("code", NULL_TEXT),
    ]),
);
