//! `manual`: the manual pages, written by the program itself, so that they say what it takes.
//!
//! Section 1 has a page for each command, made from what `--help` says; section 5 has one for the configuration, made from
//! the comments of the shipped file.

mod configuration;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, italic, roman},
};

use crate::cli::exit::{Exit, Failure};

const SAMPLE: &str = include_str!("../../config/studygate.toml");
const MANUAL: &str = "studygate";

const ENVIRONMENT: &[(&str, &str)] = &[
    ("STUDYGATE_CONFIG", "The configuration, where --config does not name it."),
    ("STUDYGATE_LOG", "What is logged; stands before log in the configuration."),
    ("NO_COLOR", "Where it is set and not empty, output has no colors."),
    ("CREDENTIALS_DIRECTORY", "Where systemd puts credentials; the root key is its file root.key."),
];
const FILES: &[(&str, &str)] = &[
    ("/etc/studygate/studygate.toml", "The configuration."),
    ("/etc/studygate/credentials/root.key", "The root key, where systemd does not seal it."),
    ("/var/lib/studygate", "Everything that the gateway keeps."),
    ("/run/studygate/studygate.sock", "The socket that commands speak to the gateway through."),
    ("/usr/share/doc/studygate", "What to do in the first hour, and pages for each audience."),
    ("/usr/share/studygate/monitoring", "Alert rules and a dashboard for Prometheus and Grafana."),
];

/// Writes all pages into `man1` and `man5` of a folder.
pub(super) fn run(folder: &Path, command: Command) -> Result<(), Failure> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let source = format!("studygate {}", command.get_version().unwrap_or_default());
    let mut pages = Vec::new();
    add_pages(&command, &source, &mut pages).map_err(|error| cannot_write(folder, &error))?;
    pages.push(("man5/studygate.toml.5".into(), configuration::page(SAMPLE, &source, MANUAL).into_bytes()));
    for section in ["man1", "man5"] {
        let made = folder.join(section);
        fs::create_dir_all(&made).map_err(|error| cannot_write(&made, &error))?;
    }
    for (name, text) in pages {
        let file = folder.join(name);
        fs::write(&file, text).map_err(|error| cannot_write(&file, &error))?;
    }
    Ok(())
}

/// The page of a command, and those of the commands below it.
fn add_pages(command: &Command, source: &str, pages: &mut Vec<(PathBuf, Vec<u8>)>) -> io::Result<()> {
    let man = Man::new(command.clone()).source(source).manual(MANUAL);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if shown(command).next().is_some() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(exits) = command.get_after_help() {
        page.extend(exit_status(&exits.to_string()).render().into_bytes());
    }
    let is_top = !command.get_display_name().unwrap_or(command.get_name()).contains('-');
    page.extend(if is_top { surroundings() } else { see_also(&[("studygate", "1")]) }.render().into_bytes());
    pages.push((Path::new("man1").join(man.get_filename()), page));
    shown(command).try_for_each(|below| add_pages(below, source, pages))
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set())
}

/// The exit codes as the help tells them.
fn exit_status(told: &str) -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["EXIT STATUS"]);
    page.text([roman(told.trim_start_matches("Exit codes: ").replace('\n', " "))]);
    page
}

/// What the program reads and keeps beside its command line.
fn surroundings() -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["ENVIRONMENT"]);
    entries(&mut page, ENVIRONMENT, bold);
    page.control("SH", ["FILES"]);
    entries(&mut page, FILES, italic);
    page.extend([see_also(&[])]);
    page
}

fn entries(page: &mut Roff, entries: &[(&'static str, &'static str)], style: fn(&'static str) -> Inline) {
    for (name, text) in entries {
        page.control("TP", []);
        page.text([style(name)]);
        page.text([roman(*text)]);
    }
}

fn see_also(pages: &[(&str, &str)]) -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for (name, section) in pages.iter().chain(&[("studygate.toml", "5")]) {
        line.extend([bold(*name), roman(format!("({section}), "))]);
    }
    line.push(italic("/usr/share/doc/studygate/README.md"));
    page.text(line);
    page
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let text = format!("{} cannot be written ({error}); name a folder that you may write to", path.display());
    Failure::new(Exit::CannotCreate, text)
}
