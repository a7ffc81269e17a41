//! The table of routes: path, method, permission, bounds, audit, handler and description of each.
//!
//! A route is one entry. Unless it says otherwise, it is for who may do so on the whole site, and audited; below
//! `studies/{study}` and `exports/{study}` it is for who may do so in that study.

use crate::access::rights::Bounds;
use crate::access::role::Permission;
use crate::access::role::Permission::{
    Audit, Disclose, Enrol, Export, Keys, Read, Registers, Resolve, Rules, Status, Tokens, Withdraw,
};
use crate::http::local::schema::Told;
use crate::http::local::{
    Handler, audit, backups, coverage, disclose, export, exports, keys, lists, openapi, participants, pulls, purges,
    quarantine, studies, tokens, told,
};

/// Every route. A segment in braces takes any text.
pub(super) const ROUTES: &[Route] = &[
    get("studies", Read, studies::list, &told::studies::LIST).reached().plain(),
    post("studies", Rules, studies::add, &told::studies::ADD),
    get("studies/{study}", Read, studies::show, &told::studies::SHOW).plain(),
    patch("studies/{study}", Rules, studies::set, &told::studies::SET),
    post("studies/{study}/lock", Rules, studies::lock, &told::studies::LOCK),
    post("studies/{study}/close", Rules, studies::close, &told::studies::CLOSE),
    get("studies/{study}/participants", Read, participants::list, &told::participants::LIST),
    post("studies/{study}/participants", Enrol, participants::add, &told::participants::ADD),
    get("studies/{study}/participants/{code}", Read, participants::show, &told::participants::SHOW),
    patch("studies/{study}/participants/{code}", Enrol, participants::set, &told::participants::SET),
    post("studies/{study}/participants/{code}/rename", Enrol, participants::rename, &told::participants::RENAME),
    post("studies/{study}/participants/{code}/link", Enrol, participants::link, &told::participants::LINK),
    post("studies/{study}/participants/{code}/unlink", Enrol, participants::unlink, &told::participants::UNLINK),
    post("studies/{study}/participants/{code}/pause", Enrol, participants::pause, &told::participants::PAUSE),
    post("studies/{study}/participants/{code}/resume", Enrol, participants::resume, &told::participants::RESUME),
    post("studies/{study}/participants/{code}/complete", Enrol, participants::complete, &told::participants::COMPLETE),
    post("studies/{study}/participants/{code}/withdraw", Withdraw, purges::withdraw, &told::purges::WITHDRAW),
    get("studies/{study}/participants/{code}/receipt", Registers, purges::receipt, &told::purges::RECEIPT),
    get("studies/{study}/participants/{code}/disclose", Disclose, disclose::begin, &told::participants::DISCLOSE)
        .by_desk(),
    get("studies/{study}/coverage", Read, coverage::show, &told::coverage::SHOW),
    get("studies/{study}/export", Export, export::begin, &told::site::EXPORT).by_desk(),
    get("exports", Registers, exports::list, &told::exports::LIST).reached(),
    get("exports/{study}/{number}", Registers, exports::show, &told::exports::SHOW),
    get("unassigned", Enrol, lists::unassigned, &told::lists::UNASSIGNED).reached(),
    get("quarantine", Resolve, quarantine::list, &told::lists::QUARANTINE).reached(),
    get("quarantine/{id}", Resolve, quarantine::show, &told::lists::QUARANTINE_SHOW).reached(),
    delete("quarantine/{id}", Resolve, quarantine::remove, &told::lists::QUARANTINE_DROP).reached(),
    get("quarantine/{id}/content", Resolve, quarantine::content, &told::lists::QUARANTINE_CONTENT).reached(),
    post("quarantine/{id}/retry", Resolve, quarantine::retry, &told::lists::QUARANTINE_RETRY).reached(),
    get("pulls", Resolve, pulls::list, &told::lists::PULLS).reached(),
    delete("pulls/{id}", Resolve, pulls::remove, &told::lists::PULL_DROP).reached(),
    post("pulls/{id}/retry", Resolve, pulls::retry, &told::lists::PULL_RETRY).reached(),
    get("purges", Registers, purges::list, &told::purges::LIST).reached(),
    post("purges/{id}/confirm", Withdraw, purges::confirm, &told::purges::CONFIRM).reached(),
    post("purges/{id}/reject", Withdraw, purges::reject, &told::purges::REJECT).reached(),
    get("audit", Audit, audit::list, &told::site::AUDIT).reached(),
    post("audit/verify", Audit, audit::verify, &told::site::AUDIT_VERIFY),
    get("backups", Keys, backups::list, &told::site::BACKUPS).plain(),
    get("backups/new", Keys, backups::begin, &told::site::BACKUP_NEW).by_desk(),
    get("backups/purge-log", Keys, backups::purge_log, &told::site::PURGE_LOG),
    get("keys", Status, keys::show, &told::keys::SHOW).reached().plain(),
    post("keys/rotate", Keys, keys::rotate, &told::keys::ROTATE),
    post("keys/escrow/create", Keys, keys::escrow_made, &told::keys::ESCROW_CREATE),
    post("keys/escrow/verify", Keys, keys::escrow_verified, &told::keys::ESCROW_VERIFY),
    get("status", Status, lists::status, &told::site::STATUS).reached().plain(),
    get("tokens", Tokens, tokens::list, &told::site::TOKENS).plain(),
    post("tokens", Tokens, tokens::add, &told::site::TOKEN_ADD),
    delete("tokens/{name}", Tokens, tokens::revoke, &told::site::TOKEN_REVOKE),
    get("openapi.json", Status, openapi::show, &told::site::OPENAPI).reached().plain(),
];

/// A route.
#[derive(Clone, Copy)]
pub(super) struct Route {
    /// Below [`BASE`](crate::http::local::BASE).
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) needs: Permission,
    pub(super) trail: Trail,
    pub(super) handler: Handler,
    pub(super) told: &'static Told,
    reached: bool,
}

/// Whether a route reads participants' data or changes anything. If so, it is refused where the audit log cannot be
/// written, and what its handler [did](crate::http::local::Call::did) is entered before the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trail {
    Audited,
    /// The desk enters it, since it goes on after the answer has begun.
    ByDesk,
    Plain,
}

const fn get(path: &'static str, needs: Permission, handler: Handler, told: &'static Told) -> Route {
    Route { path, method: "GET", needs, trail: Trail::Audited, handler, told, reached: false }
}

const fn post(path: &'static str, needs: Permission, handler: Handler, told: &'static Told) -> Route {
    Route { method: "POST", ..get(path, needs, handler, told) }
}

const fn patch(path: &'static str, needs: Permission, handler: Handler, told: &'static Told) -> Route {
    Route { method: "PATCH", ..get(path, needs, handler, told) }
}

const fn delete(path: &'static str, needs: Permission, handler: Handler, told: &'static Told) -> Route {
    Route { method: "DELETE", ..get(path, needs, handler, told) }
}

impl Route {
    /// For whoever may do so in any study: the handler keeps to what [`Call::reach`](crate::http::local::Call) covers.
    const fn reached(self) -> Self {
        Self { reached: true, ..self }
    }

    /// It reads nothing of participants and changes nothing.
    const fn plain(self) -> Self {
        Self { trail: Trail::Plain, ..self }
    }

    /// The desk enters it into the audit log.
    const fn by_desk(self) -> Self {
        Self { trail: Trail::ByDesk, ..self }
    }

    /// What a request with these arguments is about.
    pub(super) fn bounds<'a>(&self, arguments: &'a [String]) -> Bounds<'a> {
        match arguments {
            [study, ..] if self.path.contains("/{study}") => Bounds::Study(study),
            _ if self.reached => Bounds::Reached,
            _ => Bounds::Site,
        }
    }

    /// The texts that stand for the braces of its path, where these segments match it.
    pub(super) fn matched(&self, segments: &[String]) -> Option<Vec<String>> {
        let mut arguments = Vec::new();
        let mut rest = segments.iter();
        for part in self.path.split('/') {
            let segment = rest.next()?;
            match part.starts_with('{') {
                true => arguments.push(segment.clone()),
                false if part == segment => {}
                false => return None,
            }
        }
        rest.next().is_none().then_some(arguments)
    }
}
