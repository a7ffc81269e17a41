//! The documents for those who run studygate, README.md and packaging/docs, as scripts: their shell blocks in order, each
//! line at the line it has in the document, so that bash itself names the line of a command that fails.
//!
//! What the word behind the fence says: `sh` runs in a plain `cargo test`; `sh age` and the like, `r` and `python` need
//! other programs, and run in the suite first-hour; `sh system` is for root on a real machine, and runs there with
//! stand-ins; `toml` and `text` are read.

#![allow(dead_code, reason = "the test and the suite use a part each")]

pub(crate) mod commands;

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// The binary whose commands the documents tell.
pub(crate) const STUDYGATE: &str = env!("CARGO_BIN_EXE_studygate");
/// What a shell block may need beyond a plain machine.
pub(crate) const NEEDS: [&str; 3] = ["age", "curl", "unzip"];

/// What cannot be run as a reader runs it, and what runs in its place. Ports are replaced, too: see [`PORTS`].
const INSTEAD: [(&str, &str); 8] = [
    ("cargo run --release --locked -- demo", "studygate demo"),
    // This test is one of them.
    ("cargo test --locked", "true"),
    ("studygate init trial", "studygate init trial && move_ports trial/studygate.toml"),
    // In a terminal of its own.
    ("studygate serve --config trial/studygate.toml", "serve trial/studygate.toml"),
    // A person's next command comes later than a program's.
    ("studygate simulate --to", "settled studygate simulate --to"),
    ("studygate participant withdraw", "settled studygate participant withdraw"),
    // Where the documents let a coordinator name the gateway's machine.
    ("https://gateway.example.org:8444", "https://localhost:8444"),
    ("--ca-file site-ca.pem", "--ca-file trial/tls/certificate.pem"),
];

/// Ports that the documents name; each run takes free ones.
const PORTS: [u16; 4] = [8443, 8444, 8445, 9464];
/// Free ports are sought where the system gives none of its own accord, so that nobody else is given them.
const PORTS_SOUGHT: std::ops::Range<u16> = 20_000..32_000;

/// Longer than any document takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// What of a document is run.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// What a plain machine can.
    Plain,
    /// All but what is for root; with this interpreter of Python.
    Everything(PathBuf),
    /// What is for root on a machine with systemd.
    System,
}

/// A document.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// Below the top of the repository.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The number of its first line behind the fence, from 1.
    pub(crate) line: usize,
    /// The words behind the fence.
    pub(crate) words: Vec<String>,
    /// Its lines.
    pub(crate) lines: Vec<String>,
}

/// All of them, README.md first.
pub(crate) fn documents() -> Vec<Document> {
    let mut documents = vec![Document::read("README.md".into())];
    documents.extend(pages("packaging/docs"));
    documents
}

fn pages(folder: &str) -> Vec<Document> {
    let listed = fs::read_dir(top().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut paths: Vec<_> = listed.map(|entry| Path::new(folder).join(entry.expect("listed").file_name())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    paths.into_iter().map(Document::read).collect()
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Document {
    fn read(path: PathBuf) -> Self {
        Self { text: fs::read_to_string(top().join(&path)).expect("a document"), path }
    }

    /// Its blocks, in order.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (index, line) in self.text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), open.take()) {
                (Some(words), None) => {
                    let words = words.split_whitespace().map(ToOwned::to_owned).collect();
                    open = Some(Block { line: index + 2, words, lines: Vec::new() });
                }
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some(mut block)) => {
                    block.lines.push(line.to_owned());
                    open = Some(block);
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block does not end", self.path.display());
        blocks
    }

    /// Its text with empty lines in the place of fenced blocks.
    pub(crate) fn prose(&self) -> String {
        let mut lines: Vec<&str> = self.text.lines().collect();
        for block in self.blocks() {
            let fences = block.line - 2..block.line + block.lines.len();
            lines[fences].fill("");
        }
        lines.join("\n")
    }

    /// Whether this part of it has anything to run.
    pub(crate) fn has(&self, part: &Part) -> bool {
        self.blocks().iter().any(|block| block.runs(part).is_some())
    }

    /// The script: every line where the document has it, everything else blank, and `prelude` in the line of the title.
    pub(crate) fn script(&self, part: &Part, prelude: &str, ports: &[(String, String)]) -> String {
        let mut lines = vec![String::new(); self.text.lines().count()];
        for block in self.blocks() {
            let Some(interpreter) = block.runs(part) else { continue };
            let last = block.line + block.lines.len() - 1;
            if let Some(interpreter) = interpreter {
                lines[block.line - 2] = format!("{interpreter} <<'END_OF_BLOCK'");
                lines[last] = "END_OF_BLOCK".to_owned();
            }
            for (index, line) in block.lines.iter().enumerate() {
                lines[block.line - 1 + index] = replaced(line, ports);
            }
        }
        lines[0] = prelude.to_owned();
        lines.push(String::new());
        lines.join("\n")
    }
}

impl Block {
    /// The language.
    pub(crate) fn language(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Whether it is for root on a real machine.
    pub(crate) fn is_system(&self) -> bool {
        self.language() == "sh" && self.words.iter().any(|word| word == "system")
    }

    /// Whether it runs in this part of the document, and through which interpreter where bash does not take it itself.
    fn runs(&self, part: &Part) -> Option<Option<String>> {
        match (self.language(), part) {
            ("sh", Part::System) => self.is_system().then_some(None),
            ("sh", Part::Plain) => (self.words.len() == 1).then_some(None),
            ("sh", Part::Everything(_)) => (!self.is_system()).then_some(None),
            ("r", Part::Everything(_)) => Some(Some("Rscript --vanilla -".to_owned())),
            ("python", Part::Everything(python)) => Some(Some(format!("{} -", python.display()))),
            _ => None,
        }
    }
}

fn replaced(line: &str, ports: &[(String, String)]) -> String {
    let instead = INSTEAD.iter().fold(line.to_owned(), |line, (written, run)| line.replace(written, run));
    ports.iter().fold(instead, |line, (written, free)| line.replace(written, free))
}

/// A document that was run in a folder of its own; what it printed where it failed.
pub(crate) fn run(document: &Document, part: &Part) -> Result<(), String> {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let dir = scratch.path();
    fs::create_dir(dir.join("bin")).expect("a folder");
    std::os::unix::fs::symlink(STUDYGATE, dir.join("bin/studygate")).expect("a link");
    fs::write(dir.join("prelude.sh"), include_str!("prelude.sh")).expect("a file");
    let ports: Vec<_> = PORTS.map(|port| (port.to_string(), free_port().to_string())).to_vec();
    let moves: Vec<_> = ports.iter().map(|(written, free)| format!("s/:{written}/:{free}/")).collect();
    fs::write(dir.join("ports.sed"), moves.join("\n")).expect("a file");
    // README.md makes its site itself.
    let stage = if document.path == Path::new("README.md") { "" } else { "; stage" };
    let name = document.path.file_name().expect("a name");
    let script = document.script(part, &format!(". ../prelude.sh{stage}; set -x"), &ports);
    fs::create_dir(dir.join("work")).expect("a folder");
    let file = dir.join("bin").join(name);
    fs::write(&file, script).expect("a file");

    let output = File::create(dir.join("output")).expect("a file");
    let mut bash = Command::new("bash");
    bash.arg(&file).current_dir(dir.join("work")).stdin(Stdio::null()).process_group(0);
    bash.stdout(output.try_clone().expect("one more handle")).stderr(output).env("SCRATCH", dir);
    bash.env_remove("STUDYGATE_CONFIG").env_remove("STUDYGATE_LOG");
    let mut child = bash.spawn().expect("bash runs");
    let group = Pid::from_child(&child);
    let deadline = Instant::now() + PATIENCE;
    let ended = loop {
        match child.try_wait().expect("a child of ours") {
            Some(status) => break Some(status),
            None if Instant::now() > deadline => break None,
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    // Whatever the script left behind, and the script itself where it takes too long.
    let _nobody_left = kill_process_group(group, Signal::KILL);
    drop(child.wait());
    let printed = fs::read(dir.join("output")).unwrap_or_default();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{} ended with {status}:\n{}", document.path.display(), tail(&printed))),
        None => Err(format!("{} did not end in time:\n{}", document.path.display(), tail(&printed))),
    }
}

/// Writes the parts that are for root into this folder, each as a script with the document's name; the names, in order.
pub(crate) fn write_scripts(folder: &Path) -> Vec<String> {
    let with_some = documents().into_iter().filter(|document| document.has(&Part::System));
    let written = with_some.map(|document| {
        let name = document.path.file_name().expect("a name").to_string_lossy().into_owned();
        let script = document.script(&Part::System, ". \"$PRELUDE\"; set -x", &[]);
        fs::write(folder.join(&name), script).expect("a file");
        name
    });
    written.collect()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// A port that nobody listens on, told to nobody else of this process.
fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at once begin at different places.
    let begin = u16::try_from(std::process::id() % 8_000).expect("a small number");
    loop {
        let port = PORTS_SOUGHT.start + begin + NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(PORTS_SOUGHT.contains(&port), "no port is free");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
