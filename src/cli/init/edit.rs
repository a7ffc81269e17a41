//! Settings written into the text of a configuration, whose comments and other lines stay as they are.
//!
//! ```text
//! the key is set                        its value is replaced
//! its default stands in a comment       that line is taken out of the comment, with the new value
//! the section is there                  a line below its head
//! otherwise                             a section at the end
//! ```
//!
//! Never: another setting changed; a text that was edited is read again and compared.

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// A setting cannot be written without changing another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotEdited {
    /// Its section.
    pub(super) section: String,
    /// Its key.
    pub(super) key: String,
}

/// The text with this setting.
pub(super) fn set(text: &str, section: &str, key: &str, value: &Value) -> Result<String, NotEdited> {
    let not_edited = || NotEdited { section: section.to_owned(), key: key.to_owned() };
    let mut expected: Table = text.parse().map_err(|_| not_edited())?;
    put(&mut expected, section, key, value).ok_or_else(not_edited)?;
    let line = format!("{key} = {value}");
    let edited = match (value_span(text, section, key), lines_of(text, section)) {
        (Some(span), _) => format!("{}{value}{}", &text[..span.start], &text[span.end..]),
        (None, Some((head, end))) => {
            let mut lines: Vec<_> = text.lines().collect();
            let is_default = |line: &&str| commented(line).is_some_and(|rest| is_setting_of(rest, key));
            match lines[head + 1..end].iter().position(is_default) {
                Some(place) => lines[head + 1 + place] = &line,
                None => lines.insert(head + 1, &line),
            }
            lines.join("\n") + "\n"
        }
        (None, None) => format!("{}\n\n[{section}]\n{line}\n", text.trim_end()),
    };
    if edited.parse::<Table>().is_ok_and(|table| table == expected) { Ok(edited) } else { Err(not_edited()) }
}

/// The text with this section, head and all, in comments.
pub(super) fn comment_out(text: &str, section: &str) -> Result<String, NotEdited> {
    let not_edited = || NotEdited { section: section.to_owned(), key: String::new() };
    let mut expected: Table = text.parse().map_err(|_| not_edited())?;
    let Some((head, end)) = lines_of(text, section) else { return Ok(text.to_owned()) };
    take_out(&mut expected, section);
    let mut edited = String::with_capacity(text.len() + 8);
    for (number, line) in text.lines().enumerate() {
        let is_setting = (head..end).contains(&number) && !line.trim().is_empty() && !line.starts_with('#');
        edited.push_str(if is_setting { "#" } else { "" });
        edited.push_str(line);
        edited.push('\n');
    }
    if edited.parse::<Table>().is_ok_and(|table| table == expected) { Ok(edited) } else { Err(not_edited()) }
}

/// The value that is set, where one is.
pub(super) fn value<'a>(table: &'a Table, section: &str, key: &str) -> Option<&'a Value> {
    let inner = section.split('.').try_fold(table, |table, part| table.get(part)?.as_table())?;
    inner.get(key)
}

fn put(table: &mut Table, section: &str, key: &str, value: &Value) -> Option<()> {
    let mut inner = table;
    for part in section.split('.') {
        inner = inner.entry(part).or_insert_with(|| Value::Table(Table::new())).as_table_mut()?;
    }
    inner.insert(key.to_owned(), value.clone());
    Some(())
}

fn take_out(table: &mut Table, section: &str) {
    let (outer, last) = section.rsplit_once('.').map_or((None, section), |(outer, last)| (Some(outer), last));
    let mut inner = table;
    for part in outer.into_iter().flat_map(|outer| outer.split('.')) {
        let Some(next) = inner.get_mut(part).and_then(Value::as_table_mut) else { return };
        inner = next;
    }
    inner.remove(last);
}

/// Where the value of a set key stands.
fn value_span(text: &str, section: &str, key: &str) -> Option<std::ops::Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut table: &DeTable<'_> = document.get_ref();
    for part in section.split('.') {
        let (_, found) = table.iter().find(|(name, _)| name.get_ref() == part)?;
        let DeValue::Table(inner) = found.get_ref() else { return None };
        table = inner;
    }
    let (_, value) = table.iter().find(|(name, _)| name.get_ref() == key)?;
    Some(value.span())
}

/// The line of a section's head, and the one behind its last.
fn lines_of(text: &str, section: &str) -> Option<(usize, usize)> {
    let head = text.lines().position(|line| line.trim_end() == format!("[{section}]"))?;
    let rest = text.lines().skip(head + 1).position(is_head);
    Some((head, rest.map_or(text.lines().count(), |rest| head + 1 + rest)))
}

/// Whether a line begins a section, set or in a comment; the items of an array over several lines do not.
fn is_head(line: &str) -> bool {
    let line = commented(line).unwrap_or(line);
    let name = line.trim_start_matches('[');
    name.len() < line.len() && name.starts_with(|first: char| first.is_ascii_lowercase())
}

fn commented(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|rest| !rest.starts_with(' '))
}

fn is_setting_of(line: &str, key: &str) -> bool {
    line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../config/studygate.toml");

    fn check(text: &str, section: &str, key: &str, value: &Value, expected: &str) {
        assert_eq!(set(text, section, key, value).as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn set_value_is_replaced_where_it_stands() {
        check("[a]\nk = \"x\" # why\nl = 1\n", "a", "k", &Value::from("y"), "[a]\nk = \"y\" # why\nl = 1\n");
        check("[a]\nk = [\n  \"x\", # old\n]\n", "a", "k", &Value::from(vec!["y"]), "[a]\nk = [\"y\"]\n");
        check("a.k = 1\n", "a", "k", &Value::from(2), "a.k = 2\n");
    }

    #[test]
    fn default_is_taken_out_of_its_comment() {
        let text = "[a]\n# About k.\n#k = \"x\"\n\n[b]\n#k = 1\n";
        check(text, "b", "k", &Value::from(2), "[a]\n# About k.\n#k = \"x\"\n\n[b]\nk = 2\n");
        check(text, "a", "k", &Value::from("y"), "[a]\n# About k.\nk = \"y\"\n\n[b]\n#k = 1\n");
        check("[a]\n#[c]\n#k = 1\n", "a", "k", &Value::from(2), "[a]\nk = 2\n#[c]\n#k = 1\n");
    }

    #[test]
    fn new_key_goes_below_its_sections_head_and_a_new_section_to_the_end() {
        check("[a]\nl = 1\n", "a", "k", &Value::from(2), "[a]\nk = 2\nl = 1\n");
        check("[a]\nl = 1\n", "b.c", "k", &Value::from(2), "[a]\nl = 1\n\n[b.c]\nk = 2\n");
    }

    #[test]
    fn what_cannot_be_set_without_harm_is_refused() {
        let refused = Err(NotEdited { section: "a".into(), key: "k".into() });
        assert_eq!(set("a = 1\n", "a", "k", &Value::from(2)), refused);
        assert_eq!(set("a = { l = 1 }\n", "a", "k", &Value::from(2)), refused);
        assert_eq!(set("no toml", "a", "k", &Value::from(2)), refused);
    }

    #[test]
    fn section_goes_into_comments_with_what_is_set_in_it() {
        let text = "[a]\nk = 1\n\n# About b.\n[a.b]\n# About k.\nk = 2\n\n[c]\nk = 3\n";
        let expected = "[a]\nk = 1\n\n# About b.\n#[a.b]\n# About k.\n#k = 2\n\n[c]\nk = 3\n";
        assert_eq!(comment_out(text, "a.b").as_deref(), Ok(expected));
        assert_eq!(comment_out(text, "d").as_deref(), Ok(text));
    }

    #[test]
    fn sample_takes_every_setting_in_the_place_of_its_default() {
        let values = [
            ("ingress", "paths", Value::from(vec!["/garmin/1f"])),
            ("ingress.tls", "certificate", Value::from("/c.pem")),
            ("ingress.acme", "domains", Value::from(vec!["study.example.org"])),
            ("ingress.acme", "contact", Value::from("it@example.org")),
            ("backup", "dir", Value::from("/var/backups/studygate")),
        ];
        let mut text = SAMPLE.to_owned();
        for (section, key, value) in &values {
            text = set(&text, section, key, value).expect("edited");
        }
        assert_eq!(text.lines().count(), SAMPLE.lines().count(), "each in the place of a line");
        let changed = SAMPLE.lines().zip(text.lines()).filter(|(before, after)| before != after).count();
        assert_eq!(changed, values.len());
    }
}
