//! `token`: keys to the API over HTTPS, for people at other machines and for programs.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::access::role::Role;
use crate::cli::{
    confirm::Consent,
    exit::Failure,
    gateway::Gateway,
    output::{self, Form, cell},
    resource::Resource,
};

/// The commands of `token`.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token; it is printed this once
    Add(Add),
    /// List the tokens
    List,
    /// Let a token open nothing any more
    Revoke {
        /// The token's name
        name: String,
        #[command(flatten)]
        consent: Consent,
    },
}

/// A token to be made.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name, which the audit log shows: letters, digits, ".", "_" and "-", 32 at most
    #[arg(long)]
    name: String,
    /// The study that it is for
    #[arg(long, value_name = "NAME", required_unless_present = "all")]
    study: Option<String>,
    /// For all studies, and for the site itself
    #[arg(long, conflicts_with = "study")]
    all: bool,
    /// What it is to the gateway
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Role,
    /// The last day it is good for [default: until it is revoked]
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
}

/// Runs one of the commands.
pub(super) fn run(command: Token, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let tokens = Resource::of(&["tokens"]);
    match command {
        Token::Add(add) => {
            let mut body = json!({ "name": add.name, "role": add.role.name(), "expires": add.expires });
            match add.study {
                Some(study) => body["study"] = json!(study),
                None => body["all"] = json!(add.all),
            }
            made(form, &gateway.post(&tokens, &body)?)
        }
        Token::List => {
            let head = ["NAME", "ROLE", "STUDY", "CREATED", "EXPIRES", "LAST USED"];
            let answer = gateway.list(&tokens, "tokens")?;
            let rows = answer["tokens"].as_array().into_iter().flatten().map(row).collect();
            output::list(form, &answer, &head, rows)
        }
        Token::Revoke { name, consent } => {
            let reason = consent.obtain("ends the token for good", &name)?;
            let answer = gateway.delete(&Resource::of(&["tokens", &name]), &json!({ "reason": reason }))?;
            match form {
                Form::Json => output::thing(form, &answer),
                Form::Text => {
                    output::message(&format!("{name} opens nothing any more"));
                    Ok(())
                }
            }
        }
    }
}

fn made(form: Form, answer: &Value) -> Result<(), Failure> {
    match form {
        Form::Json => output::thing(form, answer),
        Form::Text => {
            output::message(
                "This is shown once and kept nowhere. Put it into a file that its holder alone may read, and name that \
                 with --token-file:",
            );
            output::line(&cell(&answer["token"]))
        }
    }
}

fn row(token: &Value) -> Vec<String> {
    let study = if token["study"].is_null() { "*".to_owned() } else { cell(&token["study"]) };
    let expires = cell(&token["expires"]);
    let expires = if token["expired"] == true { format!("{expires} (expired)") } else { expires };
    vec![cell(&token["name"]), cell(&token["role"]), study, cell(&token["created"]), expires, cell(&token["last_used"])]
}

fn role(text: &str) -> Result<Role, String> {
    Role::named(text).ok_or_else(|| format!("give one of {}", Role::ALL.map(Role::name).join(", ")))
}
