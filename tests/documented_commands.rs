//! Every command that README.md and packaging/docs name runs, or, where it needs what a plain machine lacks, is checked
//! to exist; what else they name of the program is there.

mod documented;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;

use documented::commands::{Node, in_shell};
use documented::{Document, NEEDS, Part, documents, run};

/// Flags of other programs that the documents name.
const FLAGS_OF_OTHERS: [&str; 1] = ["--locked"];

#[test]
fn every_command_of_the_documents_runs_as_it_stands_there() {
    let documents = documents();
    let ran: Vec<_> = documents.iter().filter(|document| document.has(&Part::Plain)).collect();
    assert!(ran.iter().any(|document| document.path == Path::new("README.md")), "README.md has commands");
    let failed = thread::scope(|scope| {
        let threads: Vec<_> = ran.iter().map(|document| scope.spawn(|| run(document, &Part::Plain))).collect();
        let ends = threads.into_iter().map(|thread| thread.join().expect("a document is run"));
        ends.filter_map(Result::err).collect::<Vec<_>>()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn every_block_is_of_a_kind_that_is_run_or_read() {
    let mut wrong = String::new();
    for document in documents() {
        for block in document.blocks() {
            let further = &block.words[1.min(block.words.len())..];
            let known = match block.language() {
                "sh" => further.iter().all(|word| word == "system" || NEEDS.contains(&word.as_str())),
                "r" | "python" | "toml" | "text" => further.is_empty(),
                _ => false,
            };
            let hides = block.language() == "text" && block.lines.iter().any(|line| line.starts_with("studygate "));
            if !known || hides {
                writeln!(wrong, "{}:{}: {:?}", document.path.display(), block.line, block.words).expect("text");
            }
        }
    }
    assert!(wrong.is_empty(), "nobody runs these blocks:\n{wrong}");
}

#[test]
fn commands_and_flags_that_the_text_names_exist() {
    let program = Node::whole();
    let mut wrong = String::new();
    let mut checked = 0;
    for document in documents() {
        let mut judge = |place: String, judged: Result<(), String>| {
            checked += 1;
            if let Err(fault) = judged {
                writeln!(wrong, "{}: {place}: {fault}", document.path.display()).expect("text");
            }
        };
        for span in spans(&document.prose()) {
            let words: Vec<&str> = span.split_whitespace().collect();
            match words.as_slice() {
                ["studygate", rest @ ..] => judge(span.clone(), program.check(rest)),
                [first, ..] if program.begins(first) => judge(span.clone(), program.check(&words)),
                [flag, ..] if flag.starts_with("--") && !FLAGS_OF_OTHERS.contains(flag) => {
                    let flag = flag.split('=').next().unwrap_or_default();
                    let known = program.knows(flag).then_some(()).ok_or(format!("no command has {flag}"));
                    judge(span.clone(), known);
                }
                _ => {}
            }
        }
        for block in document.blocks().iter().filter(|block| block.language() == "sh") {
            for words in in_shell(&block.lines.join("\n").replace("\\\n", "")) {
                judge(format!("block at line {}", block.line), program.check(&words));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(checked > 100, "the documents name many commands, {checked} were found");
}

#[test]
fn metrics_and_settings_that_the_documents_name_exist() {
    let sample = fs::read_to_string("config/studygate.toml").expect("the sample");
    let source = source(Path::new("src"));
    let settings = settings(&sample);
    let mut wrong = String::new();
    for document in documents() {
        let path = document.path.display();
        for span in spans(&document.prose()) {
            let name: String = span.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if name.starts_with("studygate_") && !source.contains(&format!("\"{name}\"")) {
                writeln!(wrong, "{path}: no metric {name}").expect("text");
            }
            if span.starts_with('[') && span.ends_with(']') && !sample.contains(&span) {
                writeln!(wrong, "{path}: no section {span}").expect("text");
            }
        }
        for block in document.blocks().iter().filter(|block| block.language() == "toml") {
            for (section, key) in keys(&block.lines) {
                if !settings.get(&section).is_some_and(|known| known.contains(&key)) {
                    writeln!(wrong, "{path}:{}: no setting {key} in [{section}]", block.line).expect("text");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn links_lead_to_what_is_there() {
    let mut wrong = String::new();
    for document in documents() {
        let folder = document.path.parent().expect("a folder");
        for link in document.text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.path.clone() } else { folder.join(file) };
            let text = fs::read_to_string(&target);
            let found = heading.is_empty() || text.is_ok_and(|text| headings(&text).any(|one| one == heading));
            if !target.exists() || !found {
                writeln!(wrong, "{}: {link}", document.path.display()).expect("text");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What stands between backticks.
fn spans(prose: &str) -> Vec<String> {
    let odd = prose.split('`').enumerate().filter(|(index, _)| index % 2 == 1);
    odd.map(|(_, span)| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The headings of a text as links name them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    titles.map(|title| {
        let kept = title.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
    })
}

/// Every key of the sample, commented or not, by section.
fn settings(sample: &str) -> BTreeMap<String, Vec<String>> {
    let lines: Vec<String> = sample.lines().map(|line| line.trim_start_matches('#').to_owned()).collect();
    let mut settings = BTreeMap::<_, Vec<_>>::new();
    for (section, key) in keys(&lines) {
        settings.entry(section).or_default().push(key);
    }
    settings
}

/// Sections and keys of TOML, line by line.
fn keys(lines: &[String]) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in lines {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_start_matches('[').split(']').next().unwrap_or_default().to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            let key = key.trim();
            if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                found.push((section.clone(), key.to_owned()));
            }
        }
    }
    found
}

fn source(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            text.push_str(&source(&path));
        } else {
            text.push_str(&fs::read_to_string(&path).expect("text"));
        }
    }
    text
}

/// The scripts stand on this: what fails is named by the line of the document.
#[test]
fn command_that_fails_is_named_with_its_line() {
    let text = "# A document\n\n```sh\ntrue\n```\n\nSome words.\n\n```sh\necho before\nstudygate sreve\n```\n";
    let document = Document { path: "README.md".into(), text: text.to_owned() };
    let told = run(&document, &Part::Plain).expect_err("there is no such command");
    assert!(told.contains("README.md, line 11: ended with 2: studygate sreve"), "{told}");
}

#[test]
fn made_up_commands_and_flags_are_found() {
    let program = Node::whole();
    for (line, fault) in [
        ("studygate sreve", "`studygate` has no command sreve"),
        ("recipient=$(studygate dataset keyben -o a.key)", "`studygate dataset` has no command keyben"),
        ("sed -n 1p users | studygate study add A --recipients b", "`studygate study add` has no flag --recipients"),
        ("sudo studygate --token-file token status --jso", "`studygate status` has no flag --jso"),
    ] {
        let found = in_shell(line).iter().map(|words| program.check(words)).collect::<Vec<_>>();
        assert_eq!(found, [Err(fault.to_owned())], "{line}");
    }
    assert_eq!(in_shell("chown studygate: file && studygate --url u status # studygate x"), [["--url", "u", "status"]]);
    assert_eq!(program.check(&["--url", "u", "status", "--json"]), Ok(()));
}
