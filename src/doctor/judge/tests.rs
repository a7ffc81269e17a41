//! Every finding, both ways: a site where nothing is amiss, and one change at a time.

use crate::clock::Synchronised;
use crate::doctor::facts::*;
use crate::doctor::finding::{Finding, Severity, count};
use crate::doctor::judge::{DAY, findings};
use crate::model::summary::KNOWN;
use crate::model::time::UnixSeconds;
use crate::tls::chain;
use crate::upstream::reach::Unreached;

const NOW: UnixSeconds = UnixSeconds(1_793_509_200);

fn file(mode: u32) -> FileFacts {
    FileFacts { mode, uid: 998, gid: 998, device: 1 }
}

/// A site of which nothing is to be said.
fn sound() -> Facts {
    let every: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
    let study =
        StudyFacts { name: "HEART".into(), is_open: true, recipients: 2, types: vec!["mct"], retain_until: None };
    let seen = SeenFacts {
        users: 2,
        types: every,
        deregistrations: 1,
        permission_changes: 1,
        largest_body: Some((100_000_000, NOW)),
        slowest: Some((400, NOW)),
        slowest_lately: Some((40, NOW)),
    };
    let running = Running {
        escrow_verified: Some(NOW),
        backup_last: Some(NOW),
        backup_verified: Some(NOW),
        backup_oldest: Some(NOW.plus(-14 * DAY)),
        certificate_ends: Some(NOW.plus(60 * DAY)),
        studies: vec![study],
        tokens: vec![TokenFacts { name: "r".into(), expires: Some(NOW.plus(90 * DAY)) }],
        seen,
        ..Running::default()
    };
    let address = "127.0.0.1:443".parse().expect("an address");
    Facts {
        now: NOW,
        synchronised: Synchronised::Yes,
        settings: Settings {
            paths: vec!["/garmin/0123456789abcdef".into()],
            client_ids: true,
            data_dir: "/var/lib/studygate".into(),
            root_key: "/etc/studygate/root.key".into(),
            socket: "/run/studygate/studygate.sock".into(),
            backup_dir: "/backup".into(),
            disk_reserve: 1 << 20,
            unassigned_max: 10,
            tombstones_keep: 90 * DAY,
            has_grants: true,
            ..Settings::default()
        },
        config_file: Look::Seen(file(0o640)),
        root_key: Look::Seen(KeyFacts { file: file(0o600), kept: KeyKept::Plain, is_key: true }),
        data_dir: Look::Seen(file(0o700)),
        format: Look::Seen(Mark::Known(2)),
        held: Look::Seen(true),
        disk: Look::Seen(DiskFacts { available: 1 << 40, kind: DiskKind::Plain }),
        socket: Look::Seen(file(0o660)),
        socket_group: Look::Seen(GroupFacts { name: "studygate".into(), members: 2 }),
        unknown_groups: Look::Seen(Vec::new()),
        certificates: vec![CertificateFacts { listener: "ingress", identity: Ok(identity(Vec::new())) }],
        backup_dir: Some(Look::Seen(FileFacts { device: 2, ..file(0o700) })),
        gateway: Gateway::Up(Box::new(running)),
        listeners: vec![ListenerFacts { listener: "ingress", address, outcome: Outcome::Answers }],
        outward: vec![OutwardFacts { host: "apis.garmin.com".into(), outcome: Ok(()) }],
    }
}

fn identity(findings: Vec<chain::Finding>) -> IdentityFacts {
    IdentityFacts { not_after: NOW.plus(60 * DAY), findings }
}

fn remarkable(facts: &Facts) -> Vec<Finding> {
    findings(facts).into_iter().filter(|finding| finding.severity > Severity::Ok).collect()
}

/// After this change exactly one thing is to be said: by this check, so bad, in a sentence that holds `word`, with a
/// remedy.
#[track_caller]
fn check(change: impl FnOnce(&mut Facts), name: &str, severity: Severity, word: &str) {
    let mut facts = sound();
    change(&mut facts);
    let found = remarkable(&facts);
    let [only] = found.as_slice() else { panic!("{name}: {found:#?}") };
    assert_eq!((only.check, only.severity), (name, severity), "{}", only.says);
    assert!(only.says.to_string().contains(word), "{}", only.says);
    assert!(only.remedy.as_ref().is_some_and(|remedy| remedy.to_string().len() > 10), "{name} has no remedy");
}

/// The same of what the running gateway tells.
#[track_caller]
fn check_running(change: impl FnOnce(&mut Running), name: &str, severity: Severity, word: &str) {
    let changed = |facts: &mut Facts| {
        let Gateway::Up(running) = &mut facts.gateway else { panic!("it runs") };
        change(running);
    };
    check(changed, name, severity, word);
}

use Severity::{Note, Problem, Warning};

#[test]
fn sound_site_has_nothing_amiss_and_every_check_says_so() {
    let facts = sound();
    assert_eq!(remarkable(&facts), []);
    let checks: Vec<_> = findings(&facts).iter().map(|finding| finding.check).collect();
    for name in [
        "root_key",
        "escrow",
        "configuration",
        "data_dir",
        "socket",
        "grants",
        "notification_paths",
        "client_ids",
        "certificate",
        "disk_space",
        "file_system",
        "format",
        "backup_dir",
        "clock",
        "gateway",
        "listener",
        "garmin_hosts",
        "ready",
        "backups",
        "recipients",
        "review_users",
        "review_types",
        "review_notices",
        "review_large_body",
        "review_answers",
    ] {
        assert!(checks.contains(&name), "{name} is not told of: {checks:?}");
    }
    assert_eq!(count(&findings(&facts)), (0, 0));
}

#[test]
fn root_key_is_judged_by_its_place_its_mode_and_its_form() {
    let key = |mode, kept, is_key| Look::Seen(KeyFacts { file: file(mode), kept, is_key });
    check(|facts| facts.root_key = Look::Absent, "root_key", Problem, "no root key");
    check(|facts| facts.root_key = Look::Forbidden, "root_key", Note, "may not look");
    check(|facts| facts.root_key = Look::Failed("input/output error".into()), "root_key", Problem, "input/output");
    check(|facts| facts.root_key = key(0o640, KeyKept::Plain, true), "root_key", Problem, "others than its owner");
    check(|facts| facts.root_key = key(0o600, KeyKept::Plain, false), "root_key", Problem, "64 hexadecimal");
    check(|facts| facts.root_key = key(0o600, KeyKept::Sealed, false), "root_key", Problem, "does not open");
    check(
        |facts| facts.settings.root_key = "/var/lib/studygate/root.key".into(),
        "root_key",
        Warning,
        "within data_dir",
    );
    let mut facts = sound();
    facts.root_key = key(0o440, KeyKept::Credential, true);
    assert_eq!(remarkable(&facts), [], "the mode of a credential shows an access list");
    facts.root_key = key(0o600, KeyKept::Sealed, true);
    assert_eq!(remarkable(&facts), [], "systemd opens it");
}

#[test]
fn escrow_that_was_never_or_long_ago_verified_is_told_of() {
    check_running(|running| running.escrow_verified = None, "escrow", Warning, "ever verified");
    check_running(|running| running.escrow_verified = Some(NOW.plus(-401 * DAY)), "escrow", Warning, "last verified");
}

#[test]
fn permissions_that_let_others_in_are_told_of() {
    check(|facts| facts.config_file = Look::Seen(file(0o660)), "configuration", Problem, "change");
    check(|facts| facts.config_file = Look::Seen(file(0o644)), "configuration", Warning, "everybody");
    check(|facts| facts.config_file = Look::Forbidden, "configuration", Note, "cannot be looked at");
    check(|facts| facts.data_dir = Look::Seen(file(0o750)), "data_dir", Problem, "enter data_dir");
    check(|facts| facts.data_dir = Look::Forbidden, "data_dir", Note, "may not look");
    check(|facts| facts.data_dir = Look::Failed("gone".into()), "data_dir", Problem, "gone");
    check(|facts| facts.socket = Look::Seen(file(0o666)), "socket", Problem, "everybody");
    check(|facts| facts.settings.has_grants = false, "socket", Note, "may do everything");
    check(|facts| facts.unknown_groups = Look::Seen(vec!["nurses".into()]), "grants", Problem, "nurses");
    check(|facts| facts.unknown_groups = Look::Failed("gone".into()), "grants", Problem, "list of groups");
}

#[test]
fn ways_in_that_others_may_find_are_told_of() {
    check(|facts| facts.settings.paths.push("/garmin".into()), "notification_paths", Warning, "/garmin");
    check(|facts| facts.settings.client_ids = false, "client_ids", Note, "not checked");
    check(|facts| facts.settings.allow_private = true, "allow_private", Warning, "allow_private");
}

#[test]
fn certificates_are_judged_by_their_chain_their_end_and_who_may_read_them() {
    let given = |identity| vec![CertificateFacts { listener: "local", identity }];
    let wrong = || Err(Unusable::Wrong("no key".into()));
    check(|facts| facts.certificates = given(wrong()), "certificate", Problem, "[local] cannot be used: no key");
    check(|facts| facts.certificates = given(Err(Unusable::Forbidden)), "certificate", Note, "may not be read");
    let soon = IdentityFacts { not_after: NOW.plus(20 * DAY), findings: Vec::new() };
    check(|facts| facts.certificates = given(Ok(soon)), "certificate", Warning, "in 20 days");
    for (fault, severity, word) in [
        (chain::Finding::Unreadable, Problem, "understood"),
        (chain::Finding::OutOfOrder, Problem, "wrong order"),
        (chain::Finding::WeakKey(1024), Problem, "too short"),
        (chain::Finding::Expired(NOW), Problem, "ended at"),
        (chain::Finding::NotYet(NOW), Problem, "begins at"),
        (chain::Finding::AuthorityUntimely, Warning, "authority's"),
        (chain::Finding::NoNames, Warning, "alternative name"),
        (chain::Finding::NameMissing("gate.example".into()), Warning, "gate.example"),
        (chain::Finding::NotForServers, Warning, "servers"),
        (chain::Finding::Stray, Warning, "nothing to do"),
        (chain::Finding::SelfSigned, Warning, "by itself"),
        (chain::Finding::Untrusted, Warning, "no authority"),
        (chain::Finding::KeyExposed, Warning, "private key"),
    ] {
        check(|facts| facts.certificates = given(Ok(identity(vec![fault]))), "certificate", severity, word);
    }
}

#[test]
fn ordered_certificate_is_judged_by_its_last_order_and_its_end() {
    let ordered = |change: fn(&mut Running)| {
        move |facts: &mut Facts| {
            facts.settings.is_acme = true;
            let Gateway::Up(running) = &mut facts.gateway else { panic!("it runs") };
            change(running);
        }
    };
    check(ordered(|running| running.certificate_ends = None), "acme", Problem, "no certificate");
    check(ordered(|running| running.acme_failed = Some(NOW)), "acme", Warning, "failed at");
    check(ordered(|running| running.certificate_ends = Some(NOW.plus(9 * DAY))), "acme", Warning, "not renewed");
    let mut facts = sound();
    facts.settings.is_acme = true;
    assert_eq!(remarkable(&facts), []);
}

#[test]
fn disk_is_judged_by_its_room_and_its_kind() {
    let disk = |available, kind| Look::Seen(DiskFacts { available, kind });
    check(|facts| facts.disk = disk(1000, DiskKind::Plain), "disk_space", Problem, "1000 B free");
    check(|facts| facts.disk = disk(3 << 20, DiskKind::Plain), "disk_space", Warning, "3.0 MiB free");
    check(|facts| facts.disk = Look::Forbidden, "disk_space", Note, "may not look");
    check(|facts| facts.disk = disk(1 << 40, DiskKind::CopyOnWrite), "file_system", Warning, "elsewhere");
    check(|facts| facts.disk = disk(1 << 40, DiskKind::Overlay), "file_system", Warning, "container");
    check(|facts| facts.disk = disk(1 << 40, DiskKind::Network), "file_system", Warning, "another machine");
    check(|facts| facts.disk = disk(1 << 40, DiskKind::Memory), "file_system", Problem, "memory");
}

#[test]
fn data_directory_is_judged_by_its_mark_and_its_lock() {
    check(|facts| facts.format = Look::Seen(Mark::Newer(9)), "format", Problem, "format 9");
    check(|facts| facts.format = Look::Seen(Mark::Foreign), "format", Problem, "no version mark");
    check(|facts| facts.format = Look::Absent, "format", Note, "no site yet");
    let mut facts = sound();
    (facts.gateway, facts.listeners) = (Gateway::Down, Vec::new());
    let checks: Vec<_> = remarkable(&facts).iter().map(|finding| (finding.check, finding.severity)).collect();
    assert_eq!(checks, [("lock", Problem), ("gateway", Problem)]);
}

#[test]
fn backups_are_judged_by_their_place_their_age_and_their_verification() {
    check(|facts| facts.backup_dir = None, "backup_dir", Warning, "not set");
    check(|facts| facts.backup_dir = Some(Look::Seen(file(0o700))), "backup_dir", Warning, "disk of data_dir");
    check(|facts| facts.backup_dir = Some(Look::Absent), "backup_dir", Problem, "/backup");
    check(|facts| facts.backup_dir = Some(Look::Forbidden), "backup_dir", Note, "may not look");
    check(|facts| facts.backup_dir = Some(Look::Failed("gone".into())), "backup_dir", Problem, "gone");
    let old = Some(NOW.plus(-2 * DAY - 1));
    check_running(|running| running.backup_last = old, "backups", Problem, "newest backup");
    check_running(|running| running.backup_verified = old, "backups", Warning, "last verified");
    check_running(|running| running.backup_verified = None, "backups", Warning, "ever verified");
    check_running(
        |running| (running.backup_last, running.backup_verified) = (None, None),
        "backups",
        Warning,
        "ever made",
    );
    check_running(|running| running.backup_oldest = Some(NOW.plus(-91 * DAY)), "backups", Warning, "tombstones");
}

#[test]
fn clock_is_judged_by_its_time_and_by_what_keeps_it() {
    check(|facts| facts.synchronised = Synchronised::No, "clock", Warning, "nothing keeps");
    check(|facts| facts.synchronised = Synchronised::Unknown, "clock", Note, "does not say");
    let mut facts = sound();
    facts.now = UnixSeconds(0);
    let clock = findings(&facts).into_iter().find(|finding| finding.check == "clock").expect("told of");
    assert_eq!(clock.severity, Problem);
}

#[test]
fn gateway_and_its_listeners_are_judged_by_how_they_answer() {
    check(|facts| facts.gateway = Gateway::Forbidden, "gateway", Note, "may not use");
    check(|facts| facts.gateway = Gateway::Broken, "gateway", Problem, "does not answer");
    check(|facts| facts.listeners[0].outcome = Outcome::NoConnection, "listener", Problem, "accepts no connection");
    check(|facts| facts.listeners[0].outcome = Outcome::NoTls, "listener", Problem, "no TLS");
    check(|facts| facts.listeners[0].outcome = Outcome::OtherCertificate, "listener", Warning, "another certificate");
    check_running(|running| running.other_version = true, "gateway", Warning, "another version");
    let mut facts = sound();
    (facts.gateway, facts.held) = (Gateway::Down, Look::Seen(false));
    let checks: Vec<_> = remarkable(&facts).iter().map(|finding| finding.check).collect();
    assert_eq!(checks, ["gateway", "listener"], "somebody else is on its port");
    (facts.format, facts.listeners) = (Look::Absent, Vec::new());
    let found = remarkable(&facts);
    let told: Vec<_> = found.iter().map(|finding| (finding.check, finding.severity)).collect();
    assert_eq!(told, [("format", Note), ("gateway", Warning)], "before its first start nothing is missed");
}

#[test]
fn each_reason_why_garmin_cannot_be_reached_has_its_sentence_and_remedy() {
    for (why, word) in [
        (Unreached::Settings, "[pull]"),
        (Unreached::NoName, "name is not found"),
        (Unreached::NotPublic, "not public"),
        (Unreached::NoConnection, "accepts a connection"),
        (Unreached::NoProxyName, "proxy's name"),
        (Unreached::NoProxy, "proxy does not answer"),
        (Unreached::ProxyRefuses(407), "407"),
        (Unreached::NotTrusted, "nobody trusts"),
        (Unreached::NoTls, "no TLS"),
    ] {
        check(|facts| facts.outward[0].outcome = Err(why), "garmin_hosts", Warning, word);
    }
}

#[test]
fn what_waits_in_the_gateway_is_told_of() {
    for reason in crate::lifecycle::Reason::ALL {
        check_running(
            |running| running.not_ready = vec![reason.name().into()],
            "ready",
            Problem,
            "takes no notifications",
        );
    }
    check_running(|running| running.not_ready = vec!["new".into()], "ready", Problem, "does not know");
    check_running(|running| running.journal_bodies = 1001, "filing", Warning, "1001");
    check_running(|running| running.unassigned = 1, "unassigned", Note, "1 connections");
    check_running(|running| running.unassigned = 8, "unassigned", Warning, "of at most 10");
    check_running(|running| running.quarantine = 3, "quarantine", Warning, "3 items");
    check_running(|running| running.purges_awaiting = 2, "purges", Warning, "2 purges");
    check_running(|running| running.pulls_ended = 4, "pulls", Warning, "4 pings");
    check_running(|running| running.pull_deadline = Some(NOW.plus(3600)), "pulls", Warning, "the first until");
    check_running(|running| running.tokens[0].expires = Some(NOW), "tokens", Note, "ended: r");
    check_running(|running| running.tokens[0].expires = Some(NOW.plus(DAY)), "tokens", Warning, "14 days: r");
}

#[test]
fn studies_are_judged_by_their_recipients_and_their_time() {
    check_running(|running| running.studies[0].recipients = 1, "recipients", Warning, "HEART");
    check_running(|running| running.studies[0].retain_until = Some(NOW), "retention", Warning, "HEART");
    check_running(|running| running.studies.clear(), "studies", Note, "no study yet");
}

#[test]
fn what_garmins_review_wants_is_told_until_it_was_seen() {
    check_running(|running| running.seen.users = 1, "review_users", Note, "1 Garmin users");
    check_running(|running| running.seen.types.clear(), "review_types", Note, "never came: mct");
    check_running(|running| running.seen.deregistrations = 0, "review_notices", Note, "deregistrations");
    check_running(|running| running.seen.permission_changes = 0, "review_notices", Note, "userPermissionsChange");
    check_running(|running| running.seen.largest_body = Some((99_999_999, NOW)), "review_large_body", Note, "95.3 MiB");
    check_running(|running| running.seen.largest_body = None, "review_large_body", Note, "no body");
    check_running(|running| running.seen.slowest = None, "review_answers", Note, "no notification");
    check_running(|running| running.seen.slowest_lately = Some((10_000, NOW)), "review_answers", Warning, "10000 ms");
    check_running(|running| running.seen.slowest_lately = Some((30_000, NOW)), "review_answers", Problem, "30000 ms");
    check_running(|running| running.seen.slowest = Some((30_000, NOW)), "review_answers", Warning, "30000 ms");
    let every = |running: &mut Running| {
        running.studies[0].types.clear();
        running.seen.types.retain(|name| *name != "hrv");
    };
    check_running(every, "review_types", Note, "never came: hrv; these did: activities");
}
