//! The disk, the data directory's mark, the folder of backups and the clock.

use crate::clock::Synchronised;
use crate::doctor::facts::{DiskKind, Facts, Gateway, Look, Mark};
use crate::doctor::finding::Finding;
use crate::doctor::judge::as_root;
use crate::doctor::sentence::{Own, Sentence};
use crate::model::time::UnixSeconds;

const SPACE: &str = "disk_space";
const KIND: &str = "file_system";
const FORMAT: &str = "format";
const LOCK: &str = "lock";
const BACKUP: &str = "backup_dir";
const CLOCK: &str = "clock";
/// 2026-01-01: this version was not there before.
const EARLIEST: UnixSeconds = UnixSeconds(1_767_225_600);

pub(super) fn judge(facts: &Facts, found: &mut Vec<Finding>) {
    match &facts.disk {
        Look::Seen(disk) => {
            found.push(space(facts, disk.available));
            found.push(kind(disk.kind));
        }
        Look::Forbidden => {
            found.push(Finding::note(SPACE, Sentence::new("you may not look at the data disk"), as_root()))
        }
        Look::Absent | Look::Failed(_) => {}
    }
    format(facts, found);
    found.push(backup(facts));
    found.push(clock(facts));
}

fn space(facts: &Facts, available: u64) -> Finding {
    let reserve = facts.settings.disk_reserve;
    let says = Sentence::new("the data disk has ").bytes(available).and(" free, of which ").bytes(reserve);
    let says = says.and(" are kept");
    if available < reserve {
        let remedy = "free space on it: notifications get 503 until there is more than storage.disk_reserve";
        Finding::problem(SPACE, says, Sentence::new(remedy))
    } else if available < reserve.saturating_mul(4) {
        Finding::warning(SPACE, says, Sentence::new("plan for more: a body of Garmin may have 100 MB"))
    } else {
        Finding::ok(SPACE, says)
    }
}

fn kind(kind: DiskKind) -> Finding {
    let (says, remedy) = match kind {
        DiskKind::Plain => {
            return Finding::ok(KIND, Sentence::new("nothing is to be said against data_dir's file system"));
        }
        DiskKind::CopyOnWrite => (
            "data_dir's file system writes changed blocks elsewhere, so that destroyed keys may stay readable on the disk",
            "move data_dir to ext4 or xfs",
        ),
        DiskKind::Overlay => {
            ("data_dir lies in the layers of a container and goes with it", "mount a volume there, of ext4 or xfs")
        }
        DiskKind::Network => (
            "data_dir lies on another machine, whose fsync and locks may mean less than this gateway relies on",
            "move data_dir to a disk of this machine",
        ),
        DiskKind::Memory => {
            let says = Sentence::new("data_dir lies in memory: all data are gone with the power");
            return Finding::problem(KIND, says, Sentence::new("move data_dir to a disk"));
        }
    };
    Finding::warning(KIND, Sentence::new(says), Sentence::new(remedy))
}

fn format(facts: &Facts, found: &mut Vec<Finding>) {
    match facts.format {
        Look::Seen(Mark::Known(number)) => {
            let says = Sentence::new("the data directory is of format ").number(u64::from(number));
            found.push(Finding::ok(FORMAT, says));
        }
        Look::Seen(Mark::Newer(number)) => found.push(Finding::problem(
            FORMAT,
            Sentence::new("a newer version wrote the data directory, of format ").number(u64::from(number)),
            Sentence::new("install that version again; this one must not touch it"),
        )),
        Look::Seen(Mark::Foreign) => found.push(Finding::problem(
            FORMAT,
            Sentence::new("data_dir has data, but no version mark"),
            Sentence::new("set data_dir to the right folder, or restore a backup into an empty one"),
        )),
        Look::Absent => found.push(Finding::note(
            FORMAT,
            Sentence::new("data_dir holds no site yet"),
            Sentence::new("start the gateway: its first start makes it"),
        )),
        Look::Forbidden | Look::Failed(_) => {}
    }
    let answers = !matches!(facts.gateway, Gateway::Down);
    if facts.held == Look::Seen(true) && !answers {
        found.push(Finding::problem(
            LOCK,
            Sentence::new("a process holds data_dir, but no gateway answers on the socket"),
            Sentence::new("see its log; it may be starting, or local.socket is not the one it was started with"),
        ));
    }
}

fn backup(facts: &Facts) -> Finding {
    let path = facts.settings.backup_dir.display();
    match &facts.backup_dir {
        None => Finding::warning(
            BACKUP,
            Sentence::new("no backup is made each night: backup.dir is not set"),
            Sentence::new("set it to a folder on another disk, or take `studygate backup create` yourself"),
        ),
        Some(Look::Seen(folder)) => {
            let shares = matches!(&facts.data_dir, Look::Seen(data) if data.device == folder.device);
            if !shares {
                return Finding::ok(BACKUP, Sentence::new("backups lie in a folder of their own"));
            }
            Finding::warning(
                BACKUP,
                Sentence::new("backups lie on the disk of data_dir, and would be lost with it"),
                Sentence::new("set backup.dir to a folder on another disk, or copy the backups away"),
            )
        }
        Some(Look::Absent) => Finding::problem(
            BACKUP,
            Sentence::new("the folder of backups does not exist: ").own(Own::Path, path),
            Sentence::new("make it, for the gateway's user"),
        ),
        Some(Look::Forbidden) => Finding::note(BACKUP, Sentence::new("you may not look at backup.dir"), as_root()),
        Some(Look::Failed(cause)) => Finding::problem(
            BACKUP,
            Sentence::new("the folder of backups cannot be looked at: ").own(Own::Text, cause),
            Sentence::new("check its disk"),
        ),
    }
}

fn clock(facts: &Facts) -> Finding {
    let set = "have systemd-timesyncd, chrony or ntpd set it from the site's time servers";
    if facts.now < EARLIEST {
        let says = Sentence::new("the clock says ").time(facts.now).and(", which cannot be");
        return Finding::problem(CLOCK, says, Sentence::new(set));
    }
    match facts.synchronised {
        Synchronised::Yes => Finding::ok(CLOCK, Sentence::new("the clock is kept right")),
        Synchronised::No => Finding::warning(
            CLOCK,
            Sentence::new("nothing keeps the clock right, so that nothing expires or is destroyed by time"),
            Sentence::new(set),
        ),
        Synchronised::Unknown => Finding::note(
            CLOCK,
            Sentence::new("the system does not say whether the clock is kept right"),
            Sentence::new("see to it that the machine's clock is set from the site's time servers"),
        ),
    }
}
