//! `coverage`: what came of each participant, day by day, as a strip that a person can read, as CSV or as JSON.

use clap::Args;
use serde_json::Value;

use crate::cli::exit::Failure;
use crate::cli::gateway::Gateway;
use crate::cli::output::{self, Form, cell};
use crate::cli::resource::Resource;
use crate::model::time::UnixSeconds;

/// Days of one block: eight weeks stand beside a code on a terminal of 80 columns.
const BLOCK_DAYS: usize = 56;
const WEEK_DAYS: usize = 7;
const DAY_S: i64 = 86_400;
/// The letter of a state, its word, its sign in UTF-8 and in ASCII, and its colour.
const STATES: [(char, &str, char, char, &str); 4] = [
    ('r', "received", '█', '#', "32"),
    ('p', "partial", '▒', '+', "33"),
    ('m', "missing", '·', '.', "31"),
    ('-', "none", ' ', ' ', "0"),
];

/// Of whom, and which days.
#[derive(Debug, Args)]
pub(super) struct Coverage {
    /// The study's name
    #[arg(long, value_name = "NAME")]
    study: String,
    /// The first day [default: the first that anything is expected of]
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// The last day, included [default: today]
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// One participant alone, type by type
    #[arg(long, value_name = "CODE")]
    participant: Option<String>,
    /// Print CSV: a row for each participant, day and type
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Colours.
    pub(super) color: bool,
    /// More than ASCII.
    pub(super) utf8: bool,
}

/// Prints the coverage of a study.
pub(super) fn run(asked: &Coverage, gateway: &Gateway, form: Form, style: Style) -> Result<(), Failure> {
    let resource = Resource::of(&["studies", &asked.study, "coverage"])
        .with_some("from", asked.from.as_deref())
        .with_some("to", asked.to.as_deref())
        .with_some("participant", asked.participant.as_deref());
    let answer = gateway.get(&resource)?;
    match form {
        Form::Json => output::thing(form, &answer),
        Form::Text if asked.csv => output::lines(&csv(&answer)),
        Form::Text => output::lines(&shown(&answer, asked.participant.is_some(), style)),
    }
}

/// A row for each participant, day and type of which anything was expected or came.
fn csv(answer: &Value) -> String {
    let mut text = String::from("participant,date,day,type,state,minutes\n");
    let first = first_day(answer);
    for row in array(&answer["participants"]) {
        // A code that begins with a hyphen would be a formula to a spreadsheet.
        let code = cell(&row["code"]);
        let code = if code.starts_with('-') { format!("'{code}") } else { code };
        let days: Vec<char> = row["days"].as_str().unwrap_or_default().chars().collect();
        for (name, of_type) in row["types"].as_object().into_iter().flatten() {
            let minutes = of_type["minutes"].as_array();
            for (place, letter) in of_type["days"].as_str().unwrap_or_default().chars().enumerate() {
                if letter == '-' {
                    continue;
                }
                let minutes = minutes.and_then(|minutes| minutes.get(place)).map(cell).unwrap_or_default();
                let whole = days.get(place).map_or("", |day| word(*day));
                let (date, state) = (date(first, place), word(letter));
                text.push_str(&format!("{code},{date},{whole},{name},{state},{minutes}\n"));
            }
        }
    }
    text
}

/// The strips in blocks of weeks, a table of what they come to, and the legend.
fn shown(answer: &Value, by_type: bool, style: Style) -> String {
    let rows = array(&answer["participants"]);
    let (study, from, to) = (cell(&answer["study"]), cell(&answer["from"]), cell(&answer["to"]));
    if rows.is_empty() {
        return format!("{study} has no participants whose days could be shown\n");
    }
    let mut strips: Vec<(String, &str)> = Vec::new();
    for row in rows {
        strips.push((cell(&row["code"]), row["days"].as_str().unwrap_or_default()));
        for (name, of_type) in row["types"].as_object().into_iter().flatten().filter(|_| by_type) {
            strips.push((format!("  {name}"), of_type["days"].as_str().unwrap_or_default()));
        }
    }
    let mut text = format!("{study}, {from} to {to}, a sign a day by the participant's own clock\n");
    blocks(&strips, first_day(answer), style, &mut text);
    text.push('\n');
    let head = ["CODE", "STATE", "RECEIVED", "PARTIAL", "MISSING", "LONGEST GAP", "LAST SEEN (UTC)", "WORN", "SILENT"];
    let table: Vec<_> = rows.iter().map(summed).collect();
    text.push_str(&output::table(&head, &table));
    text.push('\n');
    let legend = STATES.iter().map(|(letter, word, ..)| format!("{} {word}", painted(&letter.to_string(), style)));
    text.push_str(&legend.take(3).collect::<Vec<_>>().join("   "));
    text.push_str("   (blank: nothing, and nothing was expected)\n");
    text
}

fn blocks(strips: &[(String, &str)], first: i64, style: Style, text: &mut String) {
    let width = strips.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let days = strips.iter().map(|(_, days)| days.len()).max().unwrap_or(0);
    for begin in (0..days).step_by(BLOCK_DAYS) {
        let end = (begin + BLOCK_DAYS).min(days);
        text.push_str(format!("\n{:width$}  {}", "", ruler(first, begin, end)).trim_end());
        text.push('\n');
        for (name, days) in strips {
            let part = days.get(begin..end.min(days.len())).unwrap_or_default();
            text.push_str(format!("{name:width$}  {}", painted(part, style)).trim_end());
            text.push('\n');
        }
    }
}

/// The date at every other week's beginning.
fn ruler(first: i64, begin: usize, end: usize) -> String {
    let mut ruler = String::new();
    for place in (begin..end).step_by(2 * WEEK_DAYS) {
        ruler.push_str(&format!("{:1$}", date(first, place), 2 * WEEK_DAYS));
    }
    ruler
}

/// The letters as signs.
fn painted(letters: &str, style: Style) -> String {
    let mut text = String::new();
    let mut colour = "0";
    for letter in letters.chars() {
        let (_, _, sign, plain, own) = state(letter);
        if style.color && own != colour {
            text.push_str(&format!("\u{1b}[{own}m"));
            colour = own;
        }
        text.push(if style.utf8 { sign } else { plain });
    }
    if colour != "0" {
        text.push_str("\u{1b}[0m");
    }
    text
}

fn summed(row: &Value) -> Vec<String> {
    let gap = &row["longest_gap"];
    let gap = match gap["days"].as_u64() {
        Some(1) => format!("1 day, {}", cell(&gap["from"])),
        Some(days) => format!("{days} days, {}", cell(&gap["from"])),
        None => "none".to_owned(),
    };
    let worn = row["wear_minutes"].as_u64().map(|minutes| format!("{}:{:02} h", minutes / 60, minutes % 60));
    let silent = row["silent_since"].as_str().map(|_| "yes".to_owned());
    let seen = row["last_seen"].as_str().map(|time| time.replace('T', " ").chars().take(16).collect());
    let mut cells: Vec<_> = ["code", "state"].map(|member| cell(&row[member])).to_vec();
    cells.extend(["received_days", "partial_days", "missing_days"].map(|member| cell(&row[member])));
    cells.extend([gap, seen.unwrap_or_default(), worn.unwrap_or_default(), silent.unwrap_or_default()]);
    cells
}

fn state(letter: char) -> (char, &'static str, char, char, &'static str) {
    STATES.into_iter().find(|(known, ..)| *known == letter).unwrap_or(STATES[3])
}

fn word(letter: char) -> &'static str {
    state(letter).1
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], |items| items)
}

/// Midnight of the report's first day.
fn first_day(answer: &Value) -> i64 {
    answer["from"].as_str().and_then(UnixSeconds::of_date).map_or(0, |time| time.0)
}

fn date(first: i64, place: usize) -> String {
    UnixSeconds(first).plus(i64::try_from(place).unwrap_or(0).saturating_mul(DAY_S)).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PLAIN: Style = Style { color: false, utf8: false };

    fn answer() -> Value {
        let row = |code: &str, days: &str| {
            json!({
                "code": code, "state": "active", "days": days,
                "received_days": 2, "partial_days": 1, "missing_days": 2,
                "longest_gap": { "days": 2, "from": "2026-11-04", "to": "2026-11-05" },
                "first_seen": null, "last_seen": "2026-11-03T22:00:00Z", "silent_since": "2026-11-03T22:00:00Z",
                "wear_minutes": 726,
                "types": { "dailies": { "days": days, "minutes": [1440, 1440, 60, null, null, null] } },
            })
        };
        json!({
            "study": "ALPHA", "from": "2026-11-01", "to": "2026-11-06",
            "participants": [row("A-1", "rrpmm-"), row("-2", "--rrpm")],
        })
    }

    #[test]
    fn strip_shows_a_sign_a_day_and_what_it_comes_to() {
        insta::assert_snapshot!(shown(&answer(), false, PLAIN), @r"
        ALPHA, 2026-11-01 to 2026-11-06, a sign a day by the participant's own clock

             2026-11-01
        A-1  ##+..
        -2     ##+.

        CODE  STATE   RECEIVED  PARTIAL  MISSING  LONGEST GAP         LAST SEEN (UTC)   WORN     SILENT
        A-1   active  2         1        2        2 days, 2026-11-04  2026-11-03 22:00  12:06 h  yes
        -2    active  2         1        2        2 days, 2026-11-04  2026-11-03 22:00  12:06 h  yes

        # received   + partial   . missing   (blank: nothing, and nothing was expected)
        ");
    }

    #[test]
    fn one_participant_is_shown_type_by_type_in_signs_that_the_terminal_has() {
        let shown = shown(&answer(), true, Style { color: true, utf8: true });
        assert!(shown.contains("  dailies  \u{1b}[32m██\u{1b}[33m▒\u{1b}[31m··\u{1b}[0m"), "{shown}");
        assert!(!super::shown(&answer(), true, PLAIN).contains('\u{1b}'));
    }

    #[test]
    fn longer_times_go_on_in_the_next_block_under_their_own_dates() {
        let mut text = String::new();
        let days = "r".repeat(BLOCK_DAYS + 3);
        blocks(&[("A".to_owned(), &days)], 1_793_491_200, PLAIN, &mut text);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 6, "{text}");
        assert!(lines[1].starts_with("   2026-11-01    2026-11-15") && lines[4] == "   2026-12-27", "{text}");
        assert_eq!((lines[2].len(), lines[5]), (3 + BLOCK_DAYS, "A  ###"));
    }

    #[test]
    fn csv_has_a_row_for_each_day_and_type_that_says_something() {
        insta::assert_snapshot!(csv(&answer()), @r"
        participant,date,day,type,state,minutes
        A-1,2026-11-01,received,dailies,received,1440
        A-1,2026-11-02,received,dailies,received,1440
        A-1,2026-11-03,partial,dailies,partial,60
        A-1,2026-11-04,missing,dailies,missing,
        A-1,2026-11-05,missing,dailies,missing,
        '-2,2026-11-03,received,dailies,received,60
        '-2,2026-11-04,received,dailies,received,
        '-2,2026-11-05,partial,dailies,partial,
        '-2,2026-11-06,missing,dailies,missing,
        ");
    }
}
