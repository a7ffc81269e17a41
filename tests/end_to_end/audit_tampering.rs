//! Whatever is done to the audit log is found, with its place: on the box, and on a copy that is held against a checkpoint.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::site::Site;

/// What was done, what it made of the log's lines, and the line that it is found at, on the box and on a copy.
type Tampering = (&'static str, fn(&mut Vec<String>), u64);

fn digits(line: &str, member: &str) -> std::ops::Range<usize> {
    let at = line.find(&format!("\"{member}\":\"")).expect("a member") + member.len() + 4;
    at..at + line[at..].find('"').expect("it ends")
}

/// Another line in the place of this one, its numbers and its chain as they have to be, its MAC not.
fn forged(line: &str) -> String {
    line.replace("participants-listed", "participant-deleted")
}

const TAMPERINGS: &[Tampering] = &[
    ("a field altered", |lines| lines[3] = lines[3].replace("ALPHA", "OMEGA"), 4),
    ("a byte flipped", |lines| lines[4] = lines[4].replacen("\"uid\":", "\"uie\":", 1), 5),
    ("the first entry dropped", |lines| drop(lines.remove(0)), 1),
    ("one in the middle dropped", |lines| drop(lines.remove(4)), 5),
    ("the last one dropped", |lines| drop(lines.pop()), 0),
    ("two exchanged", |lines| lines.swap(3, 4), 4),
    ("one repeated", |lines| lines.insert(4, lines[3].clone()), 5),
    ("one inserted", |lines| lines.insert(4, forged(&lines[3])), 5),
    ("the end cut off", |lines| lines.truncate(5), 5),
    (
        "cut within a line",
        |lines| {
            lines.truncate(6);
            lines[5].truncate(60);
        },
        6,
    ),
    (
        "the chain written anew",
        |lines| {
            // Every line from the fourth on says something else, and names the digest of the one before.
            for at in 3..lines.len() {
                let mut line = forged(&lines[at]);
                let before = sha256(lines[at - 1].trim_end());
                let prev = digits(&line, "prev");
                line.replace_range(prev, &before);
                lines[at] = line;
            }
        },
        4,
    ),
    (
        "a head replaced",
        |lines| {
            let last = lines.len() - 1;
            let signature = digits(&lines[last], "signature");
            let first = lines[0][digits(&lines[0], "signature")].to_owned();
            lines[last].replace_range(signature, &first);
        },
        0,
    ),
];

fn sha256(text: &str) -> String {
    data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref())
}

fn lines(log: &Path) -> Vec<String> {
    fs::read_to_string(log).expect("a log").split_inclusive('\n').map(str::to_owned).collect()
}

/// A stopped site whose log holds some acts between its heads.
fn stopped() -> Site {
    let mut site = Site::new();
    site.add_study("ALPHA", &[]);
    for _ in 0..5 {
        site.cli(&["participant", "list", "--study", "ALPHA"]);
    }
    assert!(site.stop().success());
    site
}

fn findings(told: &std::process::Output) -> Vec<Value> {
    let report: Value = serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{told:?}"));
    report["findings"].as_array().expect("a list").clone()
}

#[test]
fn whatever_is_done_to_the_log_is_found_with_its_place_on_the_box_and_on_a_copy() {
    let site = stopped();
    let log = site.data_dir().join("audit/log");
    let whole = lines(&log);
    let public_key = site.cli_json(&["keys", "show"])["site_key"].as_str().expect("a key").to_owned();
    let verified = site.cli(&["audit", "verify"]);
    let checkpoint =
        verified.lines().find_map(|line| line.strip_prefix("checkpoint ")).expect("it is printed").to_owned();
    assert!(checkpoint.starts_with(&format!("{}:", whole.len())), "{checkpoint}");
    let copy = site.scratch("copy");
    fs::create_dir(&copy).expect("a folder");
    let folder = copy.to_str().expect("UTF-8");
    let with = |what: &[&str]| {
        let fixed = ["audit", "verify", folder, "--json", "--checkpoint", &checkpoint];
        site.run(&[&fixed[..], what].concat())
    };
    fs::write(copy.join("log"), whole.concat()).expect("copied");
    for what in [&["--public-key", &public_key][..], &[]] {
        assert_eq!(with(what).status.code(), Some(0), "the log as it is");
    }
    for (what, tamper, line) in TAMPERINGS {
        let mut changed = whole.clone();
        tamper(&mut changed);
        assert_ne!(changed, whole, "{what}");
        let line = if *line == 0 { changed.len() as u64 } else { *line };
        fs::write(copy.join("log"), changed.concat()).expect("written");
        fs::write(&log, changed.concat()).expect("written");
        // Without the log's own key a line is known by the one behind it.
        for (where_, told, apart) in [
            ("off the box", with(&["--public-key", &public_key]), 1),
            ("off the box, by the checkpoint alone", with(&[]), 1),
            ("on the box", site.run(&["audit", "verify", "--json"]), 0),
        ] {
            let found = findings(&told);
            assert_eq!(told.status.code(), Some(3), "{what}, {where_}: {found:?}");
            let first = found.iter().find_map(|finding| finding["line"].as_u64()).expect("a line");
            let by_checkpoint = where_.ends_with("alone") && *what == "a head replaced";
            // Off the box a chain that fits is known by the next head, which nobody can sign anew.
            let by_head = apart == 1 && *what == "the chain written anew" && first == changed.len() as u64;
            assert!((line..=line + apart).contains(&first) || by_checkpoint || by_head, "{what}, {where_}: {found:?}");
            assert_eq!(found[0]["file"], "log");
        }
    }
    fs::write(&log, whole.concat()).expect("written");
    assert_eq!(site.run(&["audit", "verify"]).status.code(), Some(0), "as it was");
}

#[test]
fn missing_piece_and_the_log_of_another_site_are_found() {
    let site = stopped();
    let (log, other) = (site.data_dir().join("audit/log"), stopped());
    let public_key = site.cli_json(&["keys", "show"])["site_key"].as_str().expect("a key").to_owned();
    let all = lines(&log);
    let copy = site.scratch("pieces");
    fs::create_dir(&copy).expect("a folder");
    let folder = copy.to_str().expect("UTF-8");
    let verify = |more: &[&str]| {
        let fixed = ["audit", "verify", folder, "--json", "--public-key", &public_key];
        site.run(&[&fixed[..], more].concat())
    };
    let pieces: [(&str, &[String]); 3] =
        [("log.000000000001", &all[..3]), ("log.000000000004", &all[3..5]), ("log", &all[5..])];
    let put = |name: &str, lines: &[String]| fs::write(copy.join(name), lines.concat()).expect("written");
    pieces.iter().for_each(|(name, lines)| put(name, lines));
    assert_eq!(verify(&[]).status.code(), Some(0), "in pieces as whole");
    for (gone, found_in) in [(0, "log.000000000004"), (1, "log")] {
        let name = pieces[gone].0;
        fs::remove_file(copy.join(name)).expect("ours");
        let found = findings(&verify(&[]));
        assert_eq!((&found[0]["file"], &found[0]["fault"]), (&found_in.into(), &"missing".into()), "{found:?}");
        put(name, pieces[gone].1);
    }
    let end = format!("{}:{}", all.len(), sha256(all.last().expect("a line").trim_end()));
    fs::remove_file(copy.join("log")).expect("ours");
    let found = findings(&verify(&["--checkpoint", &end]));
    assert!(found.iter().any(|finding| finding["fault"] == "cut-off" && finding["sequence"] == 5), "{found:?}");

    let theirs: PathBuf = other.data_dir().join("audit/log");
    for (name, _) in pieces.iter().take(2) {
        fs::remove_file(copy.join(name)).expect("ours");
    }
    fs::copy(theirs, copy.join("log")).expect("copied");
    let told = verify(&[]);
    assert_eq!((told.status.code(), &findings(&told)[0]["fault"]), (Some(3), &"bad-signature".into()));
    fs::copy(copy.join("log"), &log).expect("put in its place");
    let told = site.run(&["audit", "verify", "--json"]);
    assert_eq!((told.status.code(), &findings(&told)[0]["line"]), (Some(3), &1.into()), "on the box");
}
