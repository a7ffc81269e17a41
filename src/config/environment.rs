//! The environment variables the program obeys; no other module reads any.

use std::{env, ffi::OsString, path::PathBuf, process, time::Duration};

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
    /// `NOTIFY_SOCKET`: where the service manager wants to be told that the gateway is ready.
    pub notify_socket: Option<OsString>,
    /// `WATCHDOG_USEC`, where `WATCHDOG_PID` names no other process: how often at least it wants to hear that the gateway
    /// is alive.
    pub watchdog: Option<Duration>,
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
            notify_socket: variable("NOTIFY_SOCKET"),
            watchdog: watchdog(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"), process::id()),
            no_color: variable("NO_COLOR").is_some(),
            utf8: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).is_some_and(|text| is_utf8(&text)),
        }
    }
}

/// The watchdog's time, where it is this process that it is meant for.
fn watchdog(microseconds: Option<OsString>, of: Option<OsString>, own: u32) -> Option<Duration> {
    let meant = of.is_none_or(|of| of.to_str().and_then(|of| of.parse().ok()) == Some(own));
    let microseconds: u64 = microseconds?.to_str()?.parse().ok()?;
    (meant && microseconds > 0).then(|| Duration::from_micros(microseconds))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(microseconds: Option<&str>, of: Option<&str>, expected: Option<u64>) {
        let given = watchdog(microseconds.map(OsString::from), of.map(OsString::from), 42);
        assert_eq!(given, expected.map(Duration::from_micros), "{microseconds:?} {of:?}");
    }

    #[test]
    fn watchdog_is_the_one_that_is_meant_for_this_process() {
        check(Some("120000000"), Some("42"), Some(120_000_000));
        check(Some("120000000"), None, Some(120_000_000));
        check(Some("120000000"), Some("41"), None);
        check(Some("120000000"), Some("x"), None);
        check(Some("0"), None, None);
        check(Some("soon"), None, None);
        check(None, Some("42"), None);
    }
}
