//! Log lines on stderr: plain for a person, with priorities for the journal of systemd.
//!
//! Never: colours; participants' data, tokens, bodies or addresses above DEBUG (each caller's own duty).

use std::{fmt, os::fd::AsFd};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, Registry,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

/// Changes the level of the running process.
#[derive(Clone, Debug)]
pub struct LevelHandle(reload::Handle<EnvFilter, Registry>);

/// Why logging cannot be set up so.
#[derive(Debug)]
pub enum Error {
    /// The level is none that is known.
    Level(String),
    /// Logging was set up before.
    Installed,
}

/// Starts logging to stderr. `level` is `error`, `warn`, `info`, `debug`, `trace` or a list such as
/// `info,studygate::filing=debug`; `journal_stream` is the value of `$JOURNAL_STREAM`, where it is set.
pub fn install(level: &str, journal_stream: Option<&str>) -> Result<LevelHandle, Error> {
    let (filter, handle) = reload::Layer::new(parse(level)?);
    let lines = if journal_stream.is_some_and(stderr_is_journal) { Lines::Journal } else { Lines::Plain };
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr).event_format(lines);
    tracing_subscriber::registry().with(filter).with(layer).try_init().map_err(|_| Error::Installed)?;
    Ok(LevelHandle(handle))
}

impl LevelHandle {
    /// From now on this level holds.
    pub fn set(&self, level: &str) -> Result<(), Error> {
        self.0.reload(parse(level)?).map_err(|_| Error::Installed)
    }
}

fn parse(level: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder().parse(level).map_err(|_| Error::Level(level.to_owned()))
}

/// Whether `device:inode` names what stderr is connected to: the variable survives into children with other pipes.
fn stderr_is_journal(journal_stream: &str) -> bool {
    let Ok(stat) = rustix::fs::fstat(std::io::stderr().as_fd()) else {
        return false;
    };
    journal_stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

#[derive(Clone, Copy, Debug)]
enum Lines {
    Plain,
    Journal,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        match self {
            Self::Journal => write!(out, "<{}>", priority(level))?,
            Self::Plain => {
                SystemTime.format_time(&mut out)?;
                write!(out, " {level:>5} ")?;
            }
        }
        context.format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

/// The priority of syslog that stands for a level.
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(text) => {
                write!(f, "unknown log level `{text}`: use error, warn, info, debug or trace")
            }
            Self::Installed => f.write_str("logging was set up before"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_those_of_syslog() {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        assert_eq!(levels.map(priority), [3, 4, 6, 7, 7]);
    }

    #[test]
    fn unknown_level_is_refused_by_name() {
        let error = parse("studygate=loud").expect_err("no such level");
        assert!(error.to_string().contains("`studygate=loud`"));
    }

    #[test]
    fn stream_of_another_file_is_not_the_journal() {
        assert!(!stderr_is_journal("0:0"));
    }
}
