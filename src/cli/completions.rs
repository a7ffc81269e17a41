//! `completions`: what a shell needs to complete the commands of this program.

use clap::{Command, ValueEnum};
use clap_complete::{Shell, generate};

use crate::cli::{exit::Failure, output};

/// The shells that are provided for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum For {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script of a shell for this command line.
pub(super) fn run(shell: For, mut command: Command) -> Result<(), Failure> {
    let shell = match shell {
        For::Bash => Shell::Bash,
        For::Zsh => Shell::Zsh,
        For::Fish => Shell::Fish,
    };
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(shell, &mut command, name, &mut script);
    output::lines(&String::from_utf8_lossy(&script))
}
