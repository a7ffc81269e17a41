//! wrk with a script that makes every POST another record of one of many participants.

use std::{fmt::Write as _, fs, net::SocketAddr, path::Path, process::Command};

use studygate::simulate::user::Population;

use crate::traffic::{FIRST_START, STARTS, Template};

const CONNECTIONS: &str = "64";
const THREADS: &str = "2";

/// What wrk told of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) answers_a_second: f64,
    pub(crate) answers: f64,
    /// Answers that were no 200, and connections that failed.
    pub(crate) failures: u64,
}

/// Writes the script for these users.
pub(crate) fn write_script(path: &Path, population: &Population) {
    let mut script = format!("local first_start, starts = {FIRST_START}, {STARTS}\nlocal users = {{\n");
    for user in population.users() {
        let Template { head, middle, tail } = Template::of(population, user);
        let length = Template::of(population, user).length();
        writeln!(script, "{{{length}, [==[{head}]==], [==[{middle}]==], [==[{tail}]==]}},").expect("a String takes it");
    }
    script.push_str(SCRIPT);
    fs::write(path, script).expect("a file");
}

// The counter's digits keep every body of a user as long as the others: requests are put together, not built.
const SCRIPT: &str = r#"}
local threads = 0
function setup(thread)
  thread:set("place", threads)
  threads = threads + 1
end
local heads, count, base = {}, 0, 0
function init(arguments)
  base = tonumber(arguments[2]) * 1e12 + place * 1e11
  for number, user in ipairs(users) do
    heads[number] = "POST " .. arguments[1] .. " HTTP/1.1\r\nHost: localhost\r\n"
      .. "Content-Type: application/json;charset=UTF-8\r\nContent-Length: " .. user[1] .. "\r\n\r\n" .. user[2]
  end
end
local format = string.format
function request()
  count = count + 1
  local number = count % #users + 1
  local user = users[number]
  return heads[number] .. format("%010d", first_start + count % starts) .. user[3]
    .. format("%015.0f", base + count) .. user[4]
end
"#;

/// Posts to `path` for this long; `run` tells the records of one run from those of all others.
pub(crate) fn load(script: &Path, address: SocketAddr, path: &str, seconds: u64, run: u64) -> Rate {
    let output = Command::new("wrk")
        .args(["-t", THREADS, "-c", CONNECTIONS, "-d", &format!("{seconds}s"), "--timeout", "30s", "-s"])
        .arg(script)
        .args([&format!("https://{address}{path}"), "--", path, &run.to_string()])
        .output()
        .expect("wrk is missing; install Debian's wrk");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    let after = |name: &str| text.split_once(name).map(|(_, rest)| rest);
    let answers = text.split_once(" requests in").and_then(|(before, _)| before.split_whitespace().last());
    let first_number = |rest: &str| -> Option<f64> { rest.split_whitespace().next()?.parse().ok() };
    let refused = after("Non-2xx or 3xx responses:").and_then(first_number).unwrap_or(0.0) as u64;
    let socket = after("Socket errors:").and_then(|rest| rest.lines().next()).unwrap_or_default();
    let broken: u64 = socket.split(|letter: char| !letter.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok()).sum();
    Rate {
        answers: answers.and_then(|answers| answers.parse().ok()).expect("wrk tells a count"),
        answers_a_second: after("Requests/sec:").and_then(first_number).expect("wrk tells a rate"),
        failures: refused + broken,
    }
}
