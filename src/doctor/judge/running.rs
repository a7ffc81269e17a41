//! What the running gateway tells of its work.

use crate::doctor::facts::{Facts, Gateway, Running};
use crate::doctor::finding::Finding;
use crate::doctor::judge::{DAY, days};
use crate::doctor::sentence::{Own, Sentence};
use crate::lifecycle::Reason;
use crate::model::time::UnixSeconds;

const READY: &str = "ready";
const FILING: &str = "filing";
const BACKUPS: &str = "backups";
const UNASSIGNED: &str = "unassigned";
const QUARANTINE: &str = "quarantine";
const PULLS: &str = "pulls";
const PURGES: &str = "purges";
const TOKENS: &str = "tokens";
const HOUR: i64 = 3600;
/// Made each night, and verified then.
const BACKUP_EVERY: i64 = 2 * DAY;
const BODIES_BEHIND: u64 = 1000;

pub(super) fn judge(facts: &Facts, found: &mut Vec<Finding>) {
    let Gateway::Up(running) = &facts.gateway else { return };
    ready(running, found);
    if running.journal_bodies > BODIES_BEHIND {
        found.push(Finding::warning(
            FILING,
            Sentence::new("filing is ").number(running.journal_bodies).and(" bodies behind"),
            Sentence::new("look again in a minute; if it grows, see the log and the disk"),
        ));
    }
    backups(facts, running, found);
    waiting(facts, running, found);
    pulls(facts.now, running, found);
    tokens(facts.now, running, found);
}

fn ready(running: &Running, found: &mut Vec<Finding>) {
    if running.not_ready.is_empty() {
        found.push(Finding::ok(READY, Sentence::new("the gateway takes notifications")));
    }
    for reason in &running.not_ready {
        let known = Reason::ALL.into_iter().find(|known| known.name() == reason);
        let (says, remedy) = match known {
            Some(Reason::Starting) => ("it is starting", "look again in a moment"),
            Some(Reason::StoreFailed) => ("the store failed", "check the disk, then restart the gateway"),
            Some(Reason::DiskLow) => ("the disk is under its reserve", "free space on it"),
            Some(Reason::Clock) => ("the clock is before a time that was seen already", "set the clock right"),
            Some(Reason::Certificate) => ("its certificate is not valid", "see `certificate` above"),
            Some(Reason::Stopping) => ("it is stopping", "start it again"),
            None => ("of a reason that this version does not know", "see `studygate status`"),
        };
        let says = Sentence::new("the gateway takes no notifications: ").and(says);
        found.push(Finding::problem(READY, says, Sentence::new(remedy)));
    }
}

fn backups(facts: &Facts, running: &Running, found: &mut Vec<Finding>) {
    let is_daily = facts.backup_dir.is_some();
    let take = || Sentence::new("see the log for why, and take one with `studygate backup create FILE`");
    let old = |at: UnixSeconds| at.plus(BACKUP_EVERY) < facts.now;
    found.push(match running.backup_last {
        None => Finding::warning(BACKUPS, Sentence::new("no backup was ever made"), take()),
        Some(at) if old(at) && is_daily => {
            Finding::problem(BACKUPS, Sentence::new("the newest backup is of ").time(at), take())
        }
        Some(at) if old(at) => Finding::warning(BACKUPS, Sentence::new("the newest backup is of ").time(at), take()),
        Some(at) => Finding::ok(BACKUPS, Sentence::new("the newest backup is of ").time(at)),
    });
    let verify =
        || Sentence::new("run `studygate backup verify FILE` on the newest, and try a restore on another machine");
    match running.backup_verified {
        None if running.backup_last.is_some() => {
            found.push(Finding::warning(BACKUPS, Sentence::new("no backup was ever verified here"), verify()));
        }
        Some(at) if old(at) && is_daily => {
            found.push(Finding::warning(BACKUPS, Sentence::new("a backup was last verified at ").time(at), verify()));
        }
        Some(_) | None => {}
    }
    if let Some(at) = running.backup_oldest.filter(|at| at.plus(facts.settings.tombstones_keep) < facts.now) {
        found.push(Finding::warning(
            BACKUPS,
            Sentence::new("a backup of ")
                .time(at)
                .and(" is older than tombstones are kept, ")
                .number(days(at, facts.now))
                .and(" days"),
            Sentence::new("destroy it, or restore it only together with the current purge log"),
        ));
    }
}

fn waiting(facts: &Facts, running: &Running, found: &mut Vec<Finding>) {
    let most = facts.settings.unassigned_max;
    if running.unassigned > 0 {
        let says = Sentence::new("").number(running.unassigned).and(" connections are held that nobody is linked to");
        let remedy =
            Sentence::new("link them with `studygate participant link`; `studygate unassigned list` shows them");
        let is_nearly_full = running.unassigned.saturating_mul(5) >= most.saturating_mul(4);
        found.push(match is_nearly_full {
            true => Finding::warning(UNASSIGNED, says.and(", of at most ").number(most), remedy),
            false => Finding::note(UNASSIGNED, says, remedy),
        });
    }
    if running.quarantine > 0 {
        found.push(Finding::warning(
            QUARANTINE,
            Sentence::new("").number(running.quarantine).and(" items wait in quarantine, and expire there"),
            Sentence::new("look at them with `studygate quarantine list`"),
        ));
    }
    if running.purges_awaiting > 0 {
        found.push(Finding::warning(
            PURGES,
            Sentence::new("").number(running.purges_awaiting).and(" purges wait for a person"),
            Sentence::new("decide with `studygate purges confirm` or `reject`"),
        ));
    }
}

fn pulls(now: UnixSeconds, running: &Running, found: &mut Vec<Finding>) {
    if running.pulls_ended > 0 {
        found.push(Finding::warning(
            PULLS,
            Sentence::new("").number(running.pulls_ended).and(" pings ended without data"),
            Sentence::new("see `studygate pulls list` for why; what Garmin still has can be tried again"),
        ));
    }
    if let Some(at) = running.pull_deadline.filter(|at| *at < now.plus(6 * HOUR)) {
        found.push(Finding::warning(
            PULLS,
            Sentence::new("").number(running.pulls_waiting).and(" pings wait, the first until ").time(at),
            Sentence::new("see that Garmin's hosts can be reached; what is not fetched by then is lost"),
        ));
    }
}

fn tokens(now: UnixSeconds, running: &Running, found: &mut Vec<Finding>) {
    let ended = running.tokens.iter().filter(|token| token.expires.is_some_and(|at| at <= now));
    let ended: Vec<_> = ended.map(|token| &token.name).collect();
    if !ended.is_empty() {
        found.push(Finding::note(
            TOKENS,
            Sentence::new("tokens that have ended: ").owns(Own::Token, ended),
            Sentence::new("take them away with `studygate token revoke`"),
        ));
    }
    let ending = |at: UnixSeconds| now < at && at < now.plus(14 * DAY);
    let ends: Vec<_> = running.tokens.iter().filter(|token| token.expires.is_some_and(ending)).collect();
    if !ends.is_empty() {
        found.push(Finding::warning(
            TOKENS,
            Sentence::new("tokens that end within 14 days: ").owns(Own::Token, ends.iter().map(|token| &token.name)),
            Sentence::new("give whoever uses them a new one with `studygate token add`"),
        ));
    }
}
