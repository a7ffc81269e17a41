//! Who may read what, and who may send what.

use crate::doctor::facts::{Facts, FileFacts, Look};
use crate::doctor::finding::Finding;
use crate::doctor::judge::as_root;
use crate::doctor::sentence::{Own, Sentence};

const FOLDER: &str = "data_dir";
const CONFIG: &str = "configuration";
const SOCKET: &str = "socket";
const GRANTS: &str = "grants";
const PATHS: &str = "notification_paths";
const CLIENTS: &str = "client_ids";
const PRIVATE: &str = "allow_private";
/// A part of a path that is shorter can be guessed.
const PATH_PART_LEAST: usize = 16;

pub(super) fn judge(facts: &Facts, found: &mut Vec<Finding>) {
    found.push(config_file(facts));
    found.extend(data_dir(facts));
    socket(facts, found);
    grants(facts, found);
    found.push(paths(facts));
    found.extend(clients(facts));
    if facts.settings.allow_private {
        found.push(Finding::warning(
            PRIVATE,
            Sentence::new("pull.allow_private is on, so that a notification can have the gateway ask hosts within"),
            Sentence::new("take it out; it is for trials and tests"),
        ));
    }
}

fn config_file(facts: &Facts) -> Finding {
    match &facts.config_file {
        Look::Seen(file) if file.mode & 0o022 != 0 => Finding::problem(
            CONFIG,
            Sentence::new("others than its owner may change the configuration"),
            Sentence::new("run `chmod go-w` on it"),
        ),
        Look::Seen(file) if file.mode & 0o004 != 0 => Finding::warning(
            CONFIG,
            Sentence::new("everybody on this machine may read the configuration, and with it the notification paths"),
            Sentence::new("run `chmod o-r` on it"),
        ),
        Look::Seen(_) => Finding::ok(CONFIG, Sentence::new("the configuration is valid")),
        Look::Absent | Look::Forbidden | Look::Failed(_) => {
            Finding::note(CONFIG, Sentence::new("the configuration's permissions cannot be looked at"), as_root())
        }
    }
}

fn data_dir(facts: &Facts) -> Option<Finding> {
    let path = facts.settings.data_dir.display();
    match &facts.data_dir {
        Look::Seen(folder) if folder.mode & 0o077 != 0 => Some(Finding::problem(
            FOLDER,
            Sentence::new("others than its owner may enter data_dir"),
            Sentence::new("run `chmod 700 ").own(Own::Path, path).and("`"),
        )),
        Look::Seen(_) => Some(Finding::ok(FOLDER, Sentence::new("data_dir is its owner's alone"))),
        // A site that was never started has none yet.
        Look::Absent => None,
        Look::Forbidden => Some(Finding::note(FOLDER, Sentence::new("you may not look at data_dir"), as_root())),
        Look::Failed(cause) => Some(Finding::problem(
            FOLDER,
            Sentence::new("data_dir cannot be looked at: ").own(Own::Text, cause),
            Sentence::new("check the disk"),
        )),
    }
}

fn socket(facts: &Facts, found: &mut Vec<Finding>) {
    let Look::Seen(FileFacts { mode, .. }) = facts.socket else { return };
    if mode & 0o007 != 0 {
        found.push(Finding::problem(
            SOCKET,
            Sentence::new("everybody on this machine may use the gateway's socket"),
            Sentence::new("run `chmod 660 ").own(Own::Path, facts.settings.socket.display()).and("`"),
        ));
        return;
    }
    let Look::Seen(group) = &facts.socket_group else { return };
    let says = Sentence::new("the socket is for the group ").own(Own::Group, &group.name);
    let says = says.and(", which the machine's list gives ").number(group.members).and(" further members");
    found.push(if group.members > 0 && !facts.settings.has_grants {
        Finding::note(
            SOCKET,
            says.and("; each of them may do everything"),
            Sentence::new("name what groups may do under [[local.grant]]"),
        )
    } else {
        Finding::ok(SOCKET, says)
    });
}

fn grants(facts: &Facts, found: &mut Vec<Finding>) {
    match &facts.unknown_groups {
        Look::Seen(unknown) if !unknown.is_empty() => found.push(Finding::problem(
            GRANTS,
            Sentence::new("[[local.grant]] names groups that the machine does not have: ").owns(Own::Group, unknown),
            Sentence::new("make them with `groupadd`, or name a group by its number; the gateway does not start so"),
        )),
        Look::Seen(_) if facts.settings.has_grants => {
            found.push(Finding::ok(GRANTS, Sentence::new("every group with a grant exists")));
        }
        Look::Seen(_) => {}
        Look::Absent | Look::Forbidden | Look::Failed(_) => found.push(Finding::problem(
            GRANTS,
            Sentence::new("the machine's list of groups cannot be read, and [[local.grant]] needs it"),
            Sentence::new("check /etc/group"),
        )),
    }
}

fn paths(facts: &Facts) -> Finding {
    let longest = |path: &str| path.split('/').map(str::len).max().unwrap_or(0);
    let guessable: Vec<_> = facts.settings.paths.iter().filter(|path| longest(path) < PATH_PART_LEAST).collect();
    if guessable.is_empty() {
        return Finding::ok(PATHS, Sentence::new("no notification path can be guessed"));
    }
    Finding::warning(
        PATHS,
        Sentence::new("notification paths that can be guessed: ")
            .owns(Own::NotificationPath, guessable)
            .and("; Garmin signs nothing, so whoever knows one may send"),
        Sentence::new(
            "add one with 16 random letters or more to ingress.paths, enter it in Garmin's portal, then take the old one out",
        ),
    )
}

fn clients(facts: &Facts) -> Option<Finding> {
    let settings = &facts.settings;
    if settings.client_ids {
        return Some(Finding::ok(CLIENTS, Sentence::new("the client's id is checked")));
    }
    let remedy =
        "name your client's id in ingress.client_ids, once Garmin's first notification has shown that it comes";
    let says = Sentence::new("ingress.client_ids is empty, so that the header garmin-client-id is not checked");
    Some(Finding::note(CLIENTS, says, Sentence::new(remedy)))
}
