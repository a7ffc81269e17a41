//! A FIT activity file: header, messages, each kind defined before its first use, and a checksum at the end.
//!
//! The format: FIT protocol 2.0, all numbers little-endian. A definition is `0x40 | local`, a zero, the byte order, the
//! global number, then size and base type of each field; a data message is `local` and the values in that order. Both
//! checksums are CRC-16 with the reversed polynomial 0xA001. Times count seconds since 1989-12-31, positions are
//! 2^31ths of half a turn.

use crate::model::time::UnixSeconds;
use crate::simulate::activity::{Workout, kilocalories};
use crate::simulate::track::Point;
use crate::simulate::user::User;

const HEADER_BYTES: u8 = 14;
const PROTOCOL: u8 = 0x20;
const PROFILE: u16 = 2132;
/// 1989-12-31T00:00:00Z.
const EPOCH_S: i64 = 631_065_600;
const GARMIN: u16 = 1;
const RUNNING: u8 = 1;

/// The messages used, by their local number and Garmin's global one.
#[derive(Clone, Copy)]
struct Message(u8, u16);

const FILE_ID: Message = Message(0, 0);
const FILE_CREATOR: Message = Message(1, 49);
const DEVICE_INFO: Message = Message(2, 23);
const EVENT: Message = Message(3, 21);
const RECORD: Message = Message(4, 20);
const LAP: Message = Message(5, 19);
const SESSION: Message = Message(6, 18);
const ACTIVITY: Message = Message(7, 34);
const TIMESTAMP: u8 = 253;
const MESSAGE_INDEX: u8 = 254;

/// A value with its base type.
#[derive(Clone, Copy)]
enum Field {
    Enum(u8),
    Sint8(i64),
    Uint8(i64),
    Uint16(i64),
    Sint32(i64),
    Uint32(i64),
    /// Zero is no value.
    Uint32z(u32),
    /// Twenty bytes, filled with zeros.
    Text(&'static str),
}

impl Field {
    fn base_type(self) -> u8 {
        match self {
            Self::Enum(_) => 0x00,
            Self::Sint8(_) => 0x01,
            Self::Uint8(_) => 0x02,
            Self::Text(_) => 0x07,
            Self::Uint16(_) => 0x84,
            Self::Sint32(_) => 0x85,
            Self::Uint32(_) => 0x86,
            Self::Uint32z(_) => 0x8C,
        }
    }

    /// How many bytes it takes.
    fn size(self) -> u8 {
        match self {
            Self::Enum(_) | Self::Sint8(_) | Self::Uint8(_) => 1,
            Self::Uint16(_) => 2,
            Self::Sint32(_) | Self::Uint32(_) | Self::Uint32z(_) => 4,
            Self::Text(_) => 20,
        }
    }

    /// Adds its bytes; what its type cannot hold becomes the type's mark for "no value".
    fn add_to(self, body: &mut Vec<u8>) {
        match self {
            Self::Enum(value) => body.push(value),
            Self::Sint8(value) => body.extend(i8::try_from(value).unwrap_or(i8::MAX).to_le_bytes()),
            Self::Uint8(value) => body.push(u8::try_from(value).unwrap_or(u8::MAX)),
            Self::Uint16(value) => body.extend(u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes()),
            Self::Sint32(value) => body.extend(i32::try_from(value).unwrap_or(i32::MAX).to_le_bytes()),
            Self::Uint32(value) => body.extend(u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()),
            Self::Uint32z(value) => body.extend(value.to_le_bytes()),
            Self::Text(text) => {
                // The last byte of a text is a zero.
                let bytes = &text.as_bytes()[..text.len().min(19)];
                body.extend(bytes.iter().copied().chain(std::iter::repeat(0)).take(20));
            }
        }
    }
}

use Field::{Enum, Sint8, Sint32, Text, Uint8, Uint16, Uint32, Uint32z};

/// The file of this run.
pub(super) fn written(user: &User, workout: &Workout) -> Vec<u8> {
    let mut file = Writer::default();
    let (start, end) = (workout.start, workout.start.plus(workout.totals.seconds));
    preamble(&mut file, user, start);
    file.message(EVENT, &[(TIMESTAMP, time(start)), (0, Enum(0)), (1, Enum(0)), (4, Uint8(0))]);
    for point in &workout.points {
        file.message(RECORD, &record(point));
    }
    file.message(EVENT, &[(TIMESTAMP, time(end)), (0, Enum(0)), (1, Enum(4)), (4, Uint8(0))]);
    file.message(LAP, &lap(user, workout));
    file.message(SESSION, &session(user, workout));
    let local = end.plus(i64::from(user.offset_s));
    file.message(
        ACTIVITY,
        &[
            (TIMESTAMP, time(end)),
            (0, Uint32(workout.totals.seconds * 1000)),
            (1, Uint16(1)),
            (2, Enum(0)),
            (3, Enum(26)),
            (4, Enum(1)),
            (5, time(local)),
        ],
    );
    file.finish()
}

/// Which watch wrote the file, and when.
fn preamble(file: &mut Writer, user: &User, start: UnixSeconds) {
    let product = 3000 + user.device.bytes().map(i64::from).sum::<i64>() % 900;
    file.message(
        FILE_ID,
        &[
            (0, Enum(4)),
            (1, Uint16(i64::from(GARMIN))),
            (2, Uint16(product)),
            (3, Uint32z(user.serial)),
            (4, time(start)),
        ],
    );
    file.message(FILE_CREATOR, &[(0, Uint16(1826))]);
    file.message(
        DEVICE_INFO,
        &[
            (TIMESTAMP, time(start)),
            (0, Uint8(0)),
            (2, Uint16(i64::from(GARMIN))),
            (3, Uint32z(user.serial)),
            (4, Uint16(product)),
            (5, Uint16(1826)),
            (27, Text(user.device)),
        ],
    );
}

fn record(point: &Point) -> [(u8, Field); 9] {
    [
        (TIMESTAMP, time(point.time)),
        (0, semicircles(point.latitude)),
        (1, semicircles(point.longitude)),
        (5, Uint32(point.distance_cm)),
        (2, Uint16(point.elevation_dm / 2 + 2500)),
        (6, Uint16(point.speed_cm * 10)),
        (3, Uint8(point.heart_rate)),
        // A watch counts pairs of steps.
        (4, Uint8(point.cadence / 2)),
        (13, Sint8(point.temperature)),
    ]
}

fn lap(user: &User, workout: &Workout) -> Vec<(u8, Field)> {
    let totals = &workout.totals;
    let mut fields = span(workout, Enum(9));
    fields.extend([
        (11, Uint16(kilocalories(user, totals))),
        (13, Uint16(average_speed(workout))),
        (14, Uint16(totals.speed_max_cm * 10)),
        (15, Uint8(totals.heart_rate_average)),
        (16, Uint8(totals.heart_rate_max)),
        (17, Uint8(totals.cadence_average / 2)),
        (18, Uint8(totals.cadence_max / 2)),
        (21, Uint16(totals.ascent_dm / 10)),
        (22, Uint16(totals.descent_dm / 10)),
        (25, Enum(RUNNING)),
    ]);
    fields.extend(workout.points.last().map(|last| (5, semicircles(last.latitude))));
    fields.extend(workout.points.last().map(|last| (6, semicircles(last.longitude))));
    fields
}

fn session(user: &User, workout: &Workout) -> Vec<(u8, Field)> {
    let totals = &workout.totals;
    let mut fields = span(workout, Enum(8));
    fields.extend([
        (5, Enum(RUNNING)),
        (6, Enum(0)),
        (11, Uint16(kilocalories(user, totals))),
        (14, Uint16(average_speed(workout))),
        (15, Uint16(totals.speed_max_cm * 10)),
        (16, Uint8(totals.heart_rate_average)),
        (17, Uint8(totals.heart_rate_max)),
        (18, Uint8(totals.cadence_average / 2)),
        (19, Uint8(totals.cadence_max / 2)),
        (22, Uint16(totals.ascent_dm / 10)),
        (23, Uint16(totals.descent_dm / 10)),
        (25, Uint16(0)),
        (26, Uint16(1)),
        (28, Enum(0)),
    ]);
    fields
}

/// What laps and sessions begin with: when, where, how long, how far.
fn span(workout: &Workout, event: Field) -> Vec<(u8, Field)> {
    let totals = &workout.totals;
    let mut fields = vec![
        (MESSAGE_INDEX, Uint16(0)),
        (TIMESTAMP, time(workout.start.plus(totals.seconds))),
        (0, event),
        (1, Enum(1)),
        (2, time(workout.start)),
        (7, Uint32(totals.seconds * 1000)),
        (8, Uint32(totals.seconds * 1000)),
        (9, Uint32(totals.distance_cm)),
    ];
    fields.extend(workout.points.first().map(|first| (3, semicircles(first.latitude))));
    fields.extend(workout.points.first().map(|first| (4, semicircles(first.longitude))));
    fields
}

/// A position as records hold it, latitude before longitude.
pub(super) fn position(point: &Point) -> Vec<u8> {
    both(semicircles(point.latitude), semicircles(point.longitude))
}

/// What stands in the file's identification: the serial number, and the start after it.
pub(super) fn serial_and_start(user: &User, start: UnixSeconds) -> Vec<u8> {
    both(Uint32z(user.serial), time(start))
}

fn both(first: Field, second: Field) -> Vec<u8> {
    let mut bytes = Vec::new();
    first.add_to(&mut bytes);
    second.add_to(&mut bytes);
    bytes
}

fn time(time: UnixSeconds) -> Field {
    Uint32(time.0 - EPOCH_S)
}

fn semicircles(billionths: i64) -> Field {
    let scaled = i128::from(billionths) * (1 << 31) / 180_000_000_000;
    Sint32(i64::try_from(scaled).unwrap_or(i64::MAX))
}

/// Millimetres a second.
fn average_speed(workout: &Workout) -> i64 {
    workout.totals.distance_cm * 10 / workout.totals.seconds.max(1)
}

#[derive(Default)]
struct Writer {
    body: Vec<u8>,
    defined: [bool; 16],
}

impl Writer {
    /// Adds a message, after the definition of its kind where it is the first; every message of a kind has the same
    /// fields.
    fn message(&mut self, kind: Message, fields: &[(u8, Field)]) {
        let Message(local, global) = kind;
        if !std::mem::replace(&mut self.defined[usize::from(local)], true) {
            self.body.extend([0x40 | local, 0, 0]);
            self.body.extend(global.to_le_bytes());
            self.body.push(u8::try_from(fields.len()).unwrap_or(u8::MAX));
            for (number, field) in fields {
                self.body.extend([*number, field.size(), field.base_type()]);
            }
        }
        self.body.push(local);
        fields.iter().for_each(|(_, field)| field.add_to(&mut self.body));
    }

    fn finish(self) -> Vec<u8> {
        let mut file = vec![HEADER_BYTES, PROTOCOL];
        file.extend(PROFILE.to_le_bytes());
        file.extend(u32::try_from(self.body.len()).unwrap_or(u32::MAX).to_le_bytes());
        file.extend(b".FIT");
        file.extend(checksum(&file).to_le_bytes());
        file.extend(self.body);
        file.extend(checksum(&file).to_le_bytes());
        file
    }
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut table = [0; 256];
    for (byte, entry) in (0..).zip(&mut table) {
        *entry = (0..8).fold(byte, |sum: u16, _| if sum & 1 == 1 { sum >> 1 ^ 0xA001 } else { sum >> 1 });
    }
    bytes.iter().fold(0, |sum, byte| (sum >> 8) ^ table[usize::from((sum ^ u16::from(*byte)) & 0xFF)])
}
