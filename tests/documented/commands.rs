//! The commands of the program as its own `--help` tells them, and what is amiss about a command line that a document
//! names.

use std::collections::BTreeMap;
use std::process::Command;

use super::STUDYGATE;

/// What a flag takes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
}

/// A command, its flags and the commands below it.
#[derive(Debug, Default)]
pub(crate) struct Node {
    flags: BTreeMap<String, Takes>,
    below: BTreeMap<String, Node>,
}

impl Node {
    /// The program's.
    pub(crate) fn whole() -> Self {
        Self::of(&mut Vec::new())
    }

    fn of(path: &mut Vec<String>) -> Self {
        let output = Command::new(STUDYGATE).args(&*path).arg("--help").output().expect("the binary runs");
        assert!(output.status.success(), "studygate {} --help", path.join(" "));
        let help = String::from_utf8(output.stdout).expect("UTF-8");
        let mut node = Self { flags: flags(&help), ..Self::default() };
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in listed.take_while(|line| !line.is_empty()) {
            // What stands further in goes on with the line before.
            let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
            let name = name.split_whitespace().next().expect("a name");
            if name != "help" {
                path.push(name.to_owned());
                node.below.insert(name.to_owned(), Self::of(path));
                path.pop();
            }
        }
        node
    }

    /// Whether the program has this command at its top.
    pub(crate) fn begins(&self, word: &str) -> bool {
        self.below.contains_key(word)
    }

    /// Whether any command has this flag.
    pub(crate) fn knows(&self, flag: &str) -> bool {
        self.flags.contains_key(flag) || self.below.values().any(|node| node.knows(flag))
    }

    /// What is wrong about the words behind `studygate`.
    pub(crate) fn check(&self, words: &[&str]) -> Result<(), String> {
        let (mut node, mut is_path) = (self, true);
        let mut path = String::from("studygate");
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (flag, value) = word.split_once('=').map_or((*word, None), |(flag, value)| (flag, Some(value)));
            if flag.len() > 1 && flag.starts_with('-') {
                match node.flags.get(flag) {
                    None => return Err(format!("`{path}` has no flag {flag}")),
                    Some(Takes::Value) if value.is_none() => drop(words.next()),
                    Some(_) => {}
                }
            } else if let Some(below) = node.below.get(*word).filter(|_| is_path) {
                node = below;
                path = format!("{path} {word}");
            } else if is_path && !node.below.is_empty() {
                return Err(format!("`{path}` has no command {word}"));
            } else {
                is_path = false;
            }
        }
        Ok(())
    }
}

/// The flags that a help text tells.
fn flags(help: &str) -> BTreeMap<String, Takes> {
    let mut flags = BTreeMap::new();
    for line in help.lines().map(str::trim_start).filter(|line| line.starts_with('-')) {
        let told = line.split("  ").next().unwrap_or_default();
        let takes = if told.contains(" <") { Takes::Value } else { Takes::Nothing };
        for word in told.split([' ', ',', '[']).filter(|word| word.starts_with('-')) {
            flags.insert(word.trim_end_matches('=').to_owned(), takes);
        }
    }
    flags
}

/// The command lines of studygate in a piece of shell, word by word.
pub(crate) fn in_shell(script: &str) -> Vec<Vec<&str>> {
    script.lines().flat_map(in_line).collect()
}

fn in_line(line: &str) -> Vec<Vec<&str>> {
    let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
    let mut found = Vec::new();
    let mut begins = true;
    for (at, word) in words.iter().enumerate() {
        let is_named = if begins { word.trim_start_matches('(') == "studygate" } else { word.ends_with("$(studygate") };
        if is_named || begins && word.ends_with("=$(studygate") {
            let ends = |word: &&&str| ["|", "||", "&&", ";", ">", "<", "&", "2>", "<<<"].contains(*word);
            found.push(words[at + 1..].iter().take_while(|word| !ends(word)).copied().collect());
        }
        begins = ["|", "||", "&&", ";", "&", "sudo", "then", "do"].contains(word) || word.ends_with(';');
    }
    found
}
