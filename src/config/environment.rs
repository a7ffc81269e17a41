//! The environment variables the program obeys; no other module reads any.

use std::{env, ffi::OsString, path::PathBuf};

/// What the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `STUDYGATE_CONFIG`: the configuration file where no `--config` names one.
    pub config: Option<PathBuf>,
    /// `STUDYGATE_LOG`: stands before `log` of the file.
    pub log: Option<String>,
    /// `CREDENTIALS_DIRECTORY`: where systemd has put the service's credentials.
    pub credentials_directory: Option<PathBuf>,
    /// `JOURNAL_STREAM`: the device and inode of the system's journal, where stderr may go.
    pub journal_stream: Option<String>,
    /// Whether the user wants no colour (`NO_COLOR` is set to anything).
    pub no_color: bool,
    /// Whether the user's terminal shows UTF-8, as `LC_ALL`, `LC_CTYPE` or `LANG` says, the first that is set.
    pub utf8: bool,
}

impl Environment {
    /// The environment of this process; an empty variable counts as unset.
    pub fn read() -> Environment {
        Environment {
            config: variable("STUDYGATE_CONFIG").map(PathBuf::from),
            log: variable("STUDYGATE_LOG").map(|text| text.to_string_lossy().into_owned()),
            credentials_directory: variable("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            journal_stream: variable("JOURNAL_STREAM").map(|text| text.to_string_lossy().into_owned()),
            no_color: variable("NO_COLOR").is_some(),
            utf8: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).is_some_and(|text| is_utf8(&text)),
        }
    }
}

/// Whether a locale's name, such as `en_GB.UTF-8`, names that encoding.
fn is_utf8(locale: &OsString) -> bool {
    let name = locale.to_string_lossy().to_ascii_lowercase();
    name.contains("utf-8") || name.contains("utf8")
}

#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
