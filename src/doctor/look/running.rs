//! What the running gateway tells over its socket: status, studies, tokens, backups.

use std::io;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;
use tokio::time::timeout;

use crate::client::connection::{Connection, Error, Outgoing};
use crate::config::Config;
use crate::doctor::facts::{Gateway, Running, SeenFacts, StudyFacts, TokenFacts};
use crate::model::summary::KNOWN;
use crate::model::time::UnixSeconds;

const BASE: &str = "/api/v1";
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Studies or tokens are far fewer.
const PAGES_MAX: usize = 100;

/// What the gateway tells.
pub(super) async fn gateway(config: &Config) -> Gateway {
    match get(config, "status").await {
        Ok(status) => {
            let studies = list(config, "studies").await;
            let tokens = list(config, "tokens").await;
            let backups = list(config, "backups").await;
            Gateway::Up(Box::new(running(&status, &studies, &tokens, &backups)))
        }
        Err(silence) => silence,
    }
}

/// What `status` answers; or why nothing does.
pub async fn get(config: &Config, path: &str) -> Result<Value, Gateway> {
    let asked = async {
        let mut connection = Connection::unix(&config.local.socket).await?;
        let answer = connection.send(Outgoing::get(format!("{BASE}/{path}"))).await?;
        let status = answer.status;
        Ok::<_, Error>((status, answer.whole(ANSWER_BYTES_MAX).await?))
    };
    match timeout(ANSWER_WITHIN, asked).await {
        Ok(Ok((StatusCode::OK, body))) => serde_json::from_slice(&body).map_err(|_| Gateway::Broken),
        Ok(Ok((StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, _))) => Err(Gateway::Forbidden),
        Ok(Err(Error::Unreachable(_, cause))) => Err(silence(cause.kind())),
        Ok(Ok(_) | Err(_)) | Err(_) => Err(Gateway::Broken),
    }
}

fn silence(kind: io::ErrorKind) -> Gateway {
    if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
        Gateway::Down
    } else if kind == io::ErrorKind::PermissionDenied {
        Gateway::Forbidden
    } else {
        Gateway::Broken
    }
}

/// A whole list, page after page; empty where whoever asks may not see it.
pub async fn list(config: &Config, name: &str) -> Vec<Value> {
    let (mut items, mut path) = (Vec::new(), name.to_owned());
    for _ in 0..PAGES_MAX {
        let Ok(mut answer) = get(config, &path).await else { break };
        items.append(answer[name].as_array_mut().unwrap_or(&mut Vec::new()));
        // Names of studies and tokens need no escapes; anything else ends the list.
        let next = answer["next"].as_str().unwrap_or_default();
        if next.is_empty() || !next.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            break;
        }
        path = format!("{name}?after={next}");
    }
    items
}

/// The answers, as plain values. What is missing counts as nothing.
fn running(status: &Value, studies: &[Value], tokens: &[Value], backups: &[Value]) -> Running {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let ended = status["pulls"]["ended"].as_object();
    Running {
        other_version: status["version"] != env!("CARGO_PKG_VERSION"),
        not_ready: texts(&status["not_ready"]),
        escrow_verified: time(&status["keys"]["escrow_verified"]),
        journal_bodies: number(&status["journal"]["bodies"]),
        unassigned: number(&status["unassigned"]),
        quarantine: number(&status["quarantine"]),
        pulls_waiting: number(&status["pulls"]["waiting"]),
        pulls_ended: ended.map_or(0, |ends| ends.values().map(number).sum()),
        pull_deadline: time(&status["pulls"]["nearest_deadline"]),
        purges_awaiting: number(&status["purges_awaiting_confirmation"]),
        backup_last: time(&status["backup"]["last"]),
        backup_verified: time(&status["backup"]["last_verified"]),
        backup_oldest: backups.iter().filter_map(|backup| time(&backup["made_at"])).min(),
        acme_failed: time(&status["certificate"]["failed_at"]),
        certificate_ends: time(&status["certificate"]["not_after"]),
        studies: studies.iter().map(study).collect(),
        tokens: tokens.iter().map(token).collect(),
        seen: seen(&status["seen"]),
    }
}

fn study(value: &Value) -> StudyFacts {
    StudyFacts {
        name: value["name"].as_str().unwrap_or_default().to_owned(),
        is_open: value["state"] == "open",
        recipients: value["recipients"].as_array().map_or(0, |recipients| recipients.len() as u64),
        types: known(&texts(&value["rules"]["types"])),
        retain_until: value["rules"]["retain_until"].as_str().and_then(UnixSeconds::of_date),
    }
}

fn token(value: &Value) -> TokenFacts {
    TokenFacts { name: value["name"].as_str().unwrap_or_default().to_owned(), expires: time(&value["expires"]) }
}

fn seen(value: &Value) -> SeenFacts {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let measured = |value: &Value, member: &str| Some((value[member].as_u64()?, time(&value["at"])?));
    let types = value["types"].as_object().into_iter().flatten();
    let types: Vec<_> = types.filter(|(_, seen)| number(&seen["items"]) > 0).map(|(name, _)| name.clone()).collect();
    SeenFacts {
        users: number(&value["users"]),
        types: known(&types),
        deregistrations: number(&value["deregistrations"]["items"]),
        permission_changes: number(&value["permission_changes"]["items"]),
        largest_body: measured(&value["largest_body"], "bytes"),
        slowest: measured(&value["slowest_answer"], "milliseconds"),
        slowest_lately: measured(&value["slowest_answer_24h"], "milliseconds"),
    }
}

/// Those of the known types that are named.
fn known(names: &[String]) -> Vec<&'static str> {
    KNOWN.iter().map(|known| known.name).filter(|known| names.iter().any(|name| name == known)).collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn time(value: &Value) -> Option<UnixSeconds> {
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(UnixSeconds(at.as_second()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_become_plain_values_and_what_is_missing_counts_as_nothing() {
        let status = json!({
            "version": "0.0.0",
            "not_ready": ["disk_low"],
            "pulls": {"waiting": 3, "ended": {"expired": 1, "refused": 2}, "nearest_deadline": "2026-11-01T05:00:00Z"},
            "seen": {"users": 2, "types": {"mct": {"items": 1}, "hrv": {"items": 0}, "other": {"items": 4}},
                     "largest_body": {"bytes": 9, "at": "2026-11-01T05:00:00Z"}, "deregistrations": null},
        });
        let study = json!({"name": "S", "state": "open", "recipients": ["a"],
                           "rules": {"types": ["mct", "new"], "retain_until": "2026-11-01"}});
        let found = running(&status, &[study], &[], &[]);
        let at = UnixSeconds(1_793_509_200);
        assert!(found.other_version);
        assert_eq!((found.pulls_waiting, found.pulls_ended, found.pull_deadline), (3, 3, Some(at)));
        assert_eq!((found.seen.users, &*found.seen.types, found.seen.largest_body), (2, &["mct"][..], Some((9, at))));
        assert_eq!((found.seen.deregistrations, found.escrow_verified, found.unassigned), (0, None, 0));
        assert_eq!((found.studies[0].recipients, &*found.studies[0].types), (1, &["mct"][..]));
        assert_eq!(found.studies[0].retain_until.map(UnixSeconds::date), Some("2026-11-01".to_owned()));
    }
}
