//! Files read back by small readers of their own, and held against the activity and its details.

use serde_json::Value;

use crate::model::time::UnixSeconds;
use crate::simulate::file::{FileOf, FileType, of};
use crate::simulate::record::{Density, Record, day, plain};
use crate::simulate::user::{Population, User};

const MIDNIGHT: UnixSeconds = UnixSeconds(1_793_491_200);

/// The runs of a fortnight of one user.
fn runs(user: &User) -> Vec<Record> {
    let days = (0..14).flat_map(|number| day(user, MIDNIGHT.plus(number * 86_400), Density::default()));
    days.filter(|record| record.summary_type == "activities").collect()
}

fn number(activity: &Record, member: &str) -> f64 {
    activity.content[member].as_f64().expect("a number")
}

/// A message of a FIT file: its global number, and the value of each field by its number; texts are left out.
type Message = (u16, Vec<(u8, i64)>);

fn crc(bytes: &[u8]) -> u16 {
    // By the half-byte table of the FIT protocol, so as not to repeat what is tested.
    const TABLE: [u16; 16] = [
        0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401, 0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01,
        0x8801, 0x4400,
    ];
    let half = |sum: u16, bits: u16| (sum >> 4) ^ TABLE[usize::from(sum & 15)] ^ TABLE[usize::from(bits & 15)];
    bytes.iter().fold(0, |sum, byte| half(half(sum, u16::from(*byte)), u16::from(*byte) >> 4))
}

fn little_endian(bytes: &[u8], base_type: u8) -> Option<i64> {
    let raw = bytes.iter().rev().fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
    match (base_type, bytes.len()) {
        (0x07, _) => None,
        (0x01 | 0x85, size) => {
            let bits = 8 * u32::try_from(size).expect("a small field");
            Some(raw << (64 - bits) >> (64 - bits))
        }
        (0x00 | 0x02, 1) | (0x84, 2) | (0x86 | 0x8C, 4) => Some(raw),
        (base_type, size) => panic!("{size} bytes of base type {base_type:#x}"),
    }
}

fn read_fit(file: &[u8]) -> Vec<Message> {
    assert_eq!((file[0], &file[8..12]), (14, &b".FIT"[..]));
    let size = u32::from_le_bytes(file[4..8].try_into().expect("four bytes")) as usize;
    assert_eq!(file.len(), 14 + size + 2);
    assert_eq!(crc(&file[..14]), 0, "the header's checksum");
    assert_eq!(crc(file), 0, "the file's checksum");
    let mut definitions: Vec<Option<(u16, Vec<[u8; 3]>)>> = vec![None; 16];
    let (mut messages, mut rest) = (Vec::new(), &file[14..14 + size]);
    let take = |count: usize, rest: &mut &[u8]| {
        let (taken, left) = rest.split_at(count);
        *rest = left;
        taken.to_vec()
    };
    while !rest.is_empty() {
        let head = take(1, &mut rest)[0];
        if head & 0x40 != 0 {
            let fixed = take(5, &mut rest);
            assert_eq!(fixed[..2], [0, 0], "little-endian");
            let fields = take(3 * usize::from(fixed[4]), &mut rest);
            let fields = fields.chunks_exact(3).map(|field| [field[0], field[1], field[2]]).collect();
            definitions[usize::from(head & 15)] = Some((u16::from_le_bytes([fixed[2], fixed[3]]), fields));
            continue;
        }
        let (global, fields) = definitions[usize::from(head)].as_ref().expect("defined before its use");
        let mut values = Vec::new();
        for [field, size, base_type] in fields {
            let value = little_endian(&take(usize::from(*size), &mut rest), *base_type);
            values.extend(value.map(|value| (*field, value)));
        }
        messages.push((*global, values));
    }
    messages
}

fn field(message: &Message, number: u8) -> i64 {
    message.1.iter().find(|(found, _)| *found == number).map(|(_, value)| *value).expect("the field")
}

#[test]
fn fit_file_reads_back_as_the_activity_tells() {
    let population = Population::new(111, 4);
    for user in population.users() {
        for activity in runs(user) {
            let messages = read_fit(&of(user, &activity, FileType::Fit).expect("a run"));
            let all = |global: u16| messages.iter().filter(move |message| message.0 == global).collect::<Vec<_>>();
            let (start, seconds) = (number(&activity, "startTimeInSeconds"), number(&activity, "durationInSeconds"));
            let [session] = all(18)[..] else { panic!("one session") };
            let unix = |value: i64| (value + 631_065_600) as f64;
            assert_eq!(unix(field(session, 2)), start);
            assert_eq!(unix(field(session, 253)), start + seconds);
            assert_eq!(field(session, 8) as f64, seconds * 1000.0);
            assert_eq!(field(session, 9) as f64 / 100.0, number(&activity, "distanceInMeters"));
            assert_eq!(field(session, 17) as f64, number(&activity, "maxHeartRateInBeatsPerMinute"));
            assert_eq!(field(session, 16) as f64, number(&activity, "averageHeartRateInBeatsPerMinute"));
            assert_eq!(field(session, 11) as f64, number(&activity, "activeKilocalories"));
            let records = all(20);
            assert_eq!(records.len() as f64, seconds + 1.0);
            assert!(records.windows(2).all(|pair| field(pair[0], 253) + 1 == field(pair[1], 253)));
            assert!(records.windows(2).all(|pair| field(pair[0], 5) <= field(pair[1], 5)));
            assert_eq!(field(records[records.len() - 1], 5), field(session, 9));
            assert_eq!(records.iter().map(|record| field(record, 3)).max(), Some(field(session, 17)));
            let degrees = field(records[0], 0) as f64 * 180.0 / f64::from(1_u32 << 31);
            assert!((degrees - user.latitude).abs() < 1e-6);
            assert_eq!(field(all(0)[0], 3), i64::from(user.serial));
            assert_eq!((all(19).len(), all(34).len(), all(21).len()), (1, 1, 2));
        }
    }
}

/// The text between the first `<name>` and its end tag from `from` on.
fn element<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<{name}>")).expect("a start tag");
    rest.split_once(&format!("</{name}>")).expect("an end tag").0
}

/// Checks that every tag is closed in its order; returns how often each name was opened.
fn read_xml(text: &str) -> std::collections::HashMap<String, usize> {
    let (mut open, mut counts) = (Vec::new(), std::collections::HashMap::new());
    for tag in text.split('<').skip(1).map(|part| part.split_once('>').expect("the end of a tag").0) {
        let name = tag.split_whitespace().next().expect("a name");
        match name.strip_prefix('/') {
            _ if name.starts_with('?') => {}
            Some(closed) => assert_eq!(open.pop(), Some(closed)),
            None => {
                open.push(name);
                *counts.entry(name.to_owned()).or_default() += 1;
            }
        }
    }
    assert!(open.is_empty(), "{} tags are open at the end", open.len());
    counts
}

#[test]
fn tcx_and_gpx_are_balanced_and_read_back_as_the_activity_tells() {
    let population = Population::new(112, 3);
    for user in population.users() {
        let activity = &runs(user)[0];
        let read = |file_type| String::from_utf8(of(user, activity, file_type).expect("a run")).expect("text");
        let seconds = number(activity, "durationInSeconds");
        let start = UnixSeconds(activity.content["startTimeInSeconds"].as_i64().expect("a time")).to_string();
        let name = plain(&activity.content["activityName"]);

        let tcx = read(FileType::Tcx);
        let counts = read_xml(&tcx);
        assert_eq!((counts["Trackpoint"] as f64, counts["Lap"]), (seconds + 1.0, 1));
        assert_eq!(element(&tcx, "TotalTimeSeconds").parse(), Ok(seconds));
        assert_eq!(element(&tcx, "DistanceMeters").parse(), Ok(number(activity, "distanceInMeters")));
        let highest = element(element(&tcx, "MaximumHeartRateBpm"), "Value");
        assert_eq!(highest.parse(), Ok(number(activity, "maxHeartRateInBeatsPerMinute")));
        assert_eq!((element(&tcx, "Id"), element(&tcx, "Notes")), (start.as_str(), name.as_str()));

        let gpx = read(FileType::Gpx);
        assert_eq!(read_xml(&gpx)["trkpt"] as f64, seconds + 1.0);
        assert_eq!((element(&gpx, "time"), element(&gpx, "name")), (start.as_str(), name.as_str()));
        let rates = gpx.split("<ns3:hr>").skip(1).map(|rest| rest.split_once('<').expect("a tag").0);
        let highest = rates.filter_map(|rate| rate.parse::<u32>().ok()).max();
        assert_eq!(highest.map(f64::from), Some(number(activity, "maxHeartRateInBeatsPerMinute")));
    }
}

#[test]
fn ping_of_a_file_joins_it_to_its_activity_and_says_its_format() {
    let population = Population::new(113, 12);
    let mut formats = std::collections::HashSet::new();
    for user in population.users() {
        for activity in runs(user) {
            let file = FileOf::of(user, &activity).expect("a run has a file");
            let facts = &file.record().content;
            assert_eq!(facts["activityId"], activity.content["activityId"]);
            assert_eq!(facts["summaryId"], format!("{}-file", plain(&activity.content["activityId"])));
            assert_eq!((&facts["fileType"], &facts["manual"]), (&file.file_type().name().into(), &false.into()));
            for shared in ["activityName", "activityType", "deviceName", "startTimeInSeconds"] {
                assert_eq!(facts[shared], activity.content[shared]);
            }
            let begins: &[u8] = match file.file_type() {
                FileType::Fit => &[14, 0x20],
                FileType::Tcx | FileType::Gpx => b"<?xml",
            };
            if formats.insert(file.file_type()) {
                assert!(file.bytes(user).starts_with(begins));
                assert_eq!(file.bytes(user), file.bytes(user));
            }
        }
    }
    assert_eq!(formats.len(), 3, "every format comes up among twelve users");
}

#[test]
fn only_what_a_watch_recorded_has_a_file() {
    let user = Population::new(114, 1).user(0).clone();
    for number in 0..14 {
        for record in day(&user, MIDNIGHT.plus(number * 86_400), Density::default()) {
            assert_eq!(FileOf::of(&user, &record).is_some(), record.summary_type == "activities");
        }
    }
    let mut entered = runs(&user).swap_remove(0);
    entered.content.insert("manual".to_owned(), Value::Bool(true));
    assert!(of(&user, &entered, FileType::Fit).is_none());
}
