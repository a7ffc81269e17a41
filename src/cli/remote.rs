//! `--url`, `--token-file`, `--ca-file`: a gateway on another machine.
//!
//! Never: a token over a connection whose other end was not proved; a token file that others may read.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use hyper::Uri;
use hyper::header::{AUTHORIZATION, HeaderValue};
use zeroize::Zeroizing;

use crate::access::Secret;
use crate::cli::exit::{Exit, Failure};
use crate::client::connection::{Connection, Error, Outgoing};
use crate::client::trust::Trust;

const HTTPS_PORT: u16 = 443;
/// A token is 55 characters; a file of more than this is something else, in bytes.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;
/// A file of authorities is far smaller, in bytes.
const CA_BYTES_MAX: u64 = 1 << 20;

/// How to reach a gateway on another machine.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "A gateway on another machine")]
pub(super) struct Elsewhere {
    /// Its address, such as https://gateway.example.org:8444
    #[arg(long, global = true, value_name = "URL", display_order = 902)]
    pub(super) url: Option<String>,
    /// The file with your token; nobody else may read it
    #[arg(long, global = true, value_name = "FILE", display_order = 903)]
    pub(super) token_file: Option<PathBuf>,
    /// The certificate of the site's own authority, PEM [default: the public ones]
    #[arg(long, global = true, value_name = "FILE", display_order = 904)]
    pub(super) ca_file: Option<PathBuf>,
}

/// A gateway on another machine, and the token for it.
pub(super) struct Remote {
    url: String,
    /// Host and port.
    address: String,
    /// Whom its certificate must be for.
    name: String,
    trust: Trust,
    authorization: HeaderValue,
}

impl Elsewhere {
    /// The gateway that is named, `None` where none is.
    pub(super) fn remote(&self) -> Result<Option<Remote>, Failure> {
        let Some(url) = &self.url else {
            let flag = [("--token-file", &self.token_file), ("--ca-file", &self.ca_file)]
                .into_iter()
                .find_map(|(flag, file)| file.as_ref().map(|_| flag));
            return match flag {
                Some(flag) => Err(usage(format!("{flag} is for a gateway on another machine; name it with --url"))),
                None => Ok(None),
            };
        };
        let Some(token_file) = &self.token_file else {
            return Err(usage("--url needs a token; name its file with --token-file"));
        };
        let (address, name) = place(url)?;
        let trust = match &self.ca_file {
            None => Trust::built_in(),
            Some(file) => Trust::roots(&read(file, CA_BYTES_MAX)?)
                .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", file.display())))?,
        };
        let authorization = authorization(token_file)?;
        Ok(Some(Remote { url: url.clone(), address, name, trust, authorization }))
    }
}

impl Remote {
    pub(super) async fn connect(&self) -> Result<Connection, Error> {
        Connection::https(&self.address, &self.name, &self.trust).await
    }

    /// The request as whoever holds the token sends it.
    pub(super) fn with_token(&self, outgoing: Outgoing) -> Outgoing {
        outgoing.header(AUTHORIZATION, self.authorization.clone())
    }

    pub(super) fn failure(&self, error: &Error) -> Failure {
        let url = &self.url;
        let text = match error {
            Error::Unreachable(_, cause) => {
                format!("no gateway answers at {url} ({cause}); check the address, its local.listen and the firewall")
            }
            Error::Tls(cause) => format!(
                "whoever answers at {url} is not proved to be the gateway ({cause}); where the site has an authority of \
                 its own, name its certificate with --ca-file"
            ),
            Error::BadName(name) => format!("\"{name}\" is neither a host name nor an address; correct --url"),
            Error::BadRequest | Error::Broken | Error::TooLong => {
                format!("{url} broke off, or is no gateway; try again, or correct --url")
            }
        };
        Failure::new(Exit::Unreachable, text)
    }
}

/// `host:port`, and the host alone.
fn place(url: &str) -> Result<(String, String), Failure> {
    let wrong = || usage(format!("\"{url}\" is no address such as https://gateway.example.org:8444"));
    let parsed: Uri = url.parse().map_err(|_| wrong())?;
    if parsed.scheme_str() != Some("https") {
        return Err(usage("--url must begin with https://, since a token goes over it"));
    }
    let authority = parsed.authority().ok_or_else(wrong)?;
    let only_place = parsed.path().trim_end_matches('/').is_empty() && parsed.query().is_none();
    if !only_place || authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(wrong());
    }
    let host = authority.host();
    let address = format!("{host}:{}", authority.port_u16().unwrap_or(HTTPS_PORT));
    Ok((address, host.trim_start_matches('[').trim_end_matches(']').to_owned()))
}

fn authorization(file: &Path) -> Result<HeaderValue, Failure> {
    refuse_exposed(file)?;
    let bytes = Zeroizing::new(read(file, TOKEN_FILE_BYTES_MAX)?);
    let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    let none =
        || usage(format!("{} holds no token; put what `studygate token add` printed there, alone", file.display()));
    Secret::parse(text).ok_or_else(none)?;
    let mut value = HeaderValue::from_str(&Zeroizing::new(format!("Bearer {text}"))).map_err(|_| none())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(unix)]
fn refuse_exposed(file: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(file).map_err(|error| unreadable(file, &error))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(usage(format!("others than you may read your token; run `chmod 600 {}` and try again", file.display())))
}

/// A file of a person's own folder is theirs alone there.
#[cfg(not(unix))]
fn refuse_exposed(_file: &Path) -> Result<(), Failure> {
    Ok(())
}

fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > bytes_max {
        return Err(usage(format!("{} is too large to be the right file; name another", path.display())));
    }
    Ok(bytes)
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    usage(format!("{} cannot be read ({error}); name another file, or let yourself read it", file.display()))
}

fn usage(text: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<(&str, &str)>) {
        let found = place(url).ok();
        let expected = expected.map(|(address, name)| (address.to_owned(), name.to_owned()));
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn address_is_https_and_nothing_but_a_place() {
        check("https://gateway.example.org:8444", Some(("gateway.example.org:8444", "gateway.example.org")));
        check("https://192.168.1.5/", Some(("192.168.1.5:443", "192.168.1.5")));
        check("https://[2001:db8::1]:8444", Some(("[2001:db8::1]:8444", "2001:db8::1")));
        for wrong in [
            "http://gateway.example.org",
            "gateway.example.org:8444",
            "https://",
            "https://user:pass@gateway.example.org",
            "https://gateway.example.org/api/v1",
            "https://gateway.example.org?x",
            "not an address",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn flags_that_belong_together_are_asked_for() {
        let told = |elsewhere: Elsewhere| elsewhere.remote().err().map(|failure| failure.text).unwrap_or_default();
        assert!(Elsewhere::default().remote().expect("nothing is named").is_none());
        let url = Some("https://gateway.example.org".to_owned());
        assert!(told(Elsewhere { url, ..Elsewhere::default() }).contains("--token-file"));
        let token_file = Some(PathBuf::from("token"));
        assert!(told(Elsewhere { token_file, ..Elsewhere::default() }).contains("--url"));
    }
}
