//! Log lines on stderr: plain for a person or JSON for a program, with priorities where the journal of systemd reads
//! them.
//!
//! ```text
//! 2026-11-21T20:15:00.123456Z  INFO ready ingress=127.0.0.1:8443
//! {"time":"2026-11-21T20:15:00.123456Z","level":"info","target":"studygate::app","message":"ready","ingress":"…"}
//! <6>ready ingress=127.0.0.1:8443
//! ```
//!
//! Never: colours; participants' data, tokens, bodies or addresses above DEBUG (each caller's own duty).

use std::fmt;
use std::os::fd::AsFd;

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Registry,
    filter::Targets,
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
pub struct LevelHandle(reload::Handle<Targets, Registry>);

/// Why logging cannot be set up so.
#[derive(Debug)]
pub enum Error {
    /// The level is none that is known.
    Level(String),
    /// Logging was set up before.
    Installed,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// For a person.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Starts logging to stderr. `level` is `error`, `warn`, `info`, `debug`, `trace` or a list such as
/// `info,studygate::filing=debug`; `journal_stream` is the value of `$JOURNAL_STREAM`, where it is set.
pub fn install(level: &str, form: Form, journal_stream: Option<&str>) -> Result<LevelHandle, Error> {
    let (filter, handle) = reload::Layer::new(parse(level)?);
    let lines = Lines { form, journal: journal_stream.is_some_and(stderr_is_journal) };
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

fn parse(level: &str) -> Result<Targets, Error> {
    level.parse().map_err(|_| Error::Level(level.to_owned()))
}

/// Whether `device:inode` names what stderr is connected to: the variable survives into children with other pipes.
pub fn stderr_is_journal(journal_stream: &str) -> bool {
    let Ok(stat) = rustix::fs::fstat(std::io::stderr().as_fd()) else {
        return false;
    };
    journal_stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

#[derive(Clone, Copy, Debug)]
struct Lines {
    form: Form,
    /// The journal takes a priority in front of a line, and adds the time itself.
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        if self.journal {
            write!(out, "<{}>", priority(level))?;
        }
        match self.form {
            Form::Json => json(&mut out, event)?,
            Form::Text => {
                if !self.journal {
                    SystemTime.format_time(&mut out)?;
                    write!(out, " {level:>5} ")?;
                }
                context.format_fields(out.by_ref(), event)?;
            }
        }
        writeln!(out)
    }
}

/// The fields of an event as JSON.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" { self.message = text } else { self.add(field, Value::from(text)) }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message)
        } else {
            self.add(field, Value::from(value))
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::from(value));
    }
}

/// One object: time, level, target and message first, and the event's own fields behind them.
fn json(out: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let about = event.metadata();
    let level = about.level().as_str().to_ascii_lowercase();
    let (target, message) = (Value::from(about.target()), Value::from(fields.message));
    write!(out, "{{\"time\":\"{time}\",\"level\":\"{level}\",\"target\":{target},\"message\":{message}")?;
    for (name, value) in fields.others {
        write!(out, ",{}:{value}", Value::from(name))?;
    }
    out.write_char('}')
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
