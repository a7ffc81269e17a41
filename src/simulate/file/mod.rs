//! The file that a watch made of a run: FIT, TCX or GPX, with the same numbers as the activity and its details.
//!
//! Which of the three is a matter of the activity; anyone can ask for another.

mod fit;
mod gpx;
mod tcx;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::model::time::UnixSeconds;
use crate::simulate::activity::{Workout, name, number_of};
use crate::simulate::record::Record;
use crate::simulate::track::Degrees;
use crate::simulate::user::User;

/// The key of files' pings.
pub(super) const ACTIVITY_FILES: &str = "activityFiles";

/// A format that watches write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// Garmin's binary format.
    Fit,
    /// Training Center XML, version 2.
    Tcx,
    /// GPS Exchange XML 1.1.
    Gpx,
}

impl FileType {
    /// As `fileType` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fit => "FIT",
            Self::Tcx => "TCX",
            Self::Gpx => "GPX",
        }
    }
}

/// The file of an activity, made when it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct FileOf {
    file_type: FileType,
    id: String,
    start: UnixSeconds,
    seconds: i64,
    record: Record,
}

impl FileOf {
    /// The file of this record; `None` where it is no activity that a watch of this user recorded.
    pub fn of(user: &User, activity: &Record) -> Option<Self> {
        let (id, start, seconds) = Workout::facts(user, activity)?;
        let mut random = user.random(&[u64::from(b'F'), number_of(&id)]);
        let file_type = match random.below(8) {
            0 => FileType::Tcx,
            1 => FileType::Gpx,
            _ => FileType::Fit,
        };
        let mut facts = Map::new();
        let described = random.chance(30).then_some("activityDescription");
        for member in ["activityId", "activityName", "activityType", "deviceName", "startTimeInSeconds"] {
            facts.extend(activity.content.get(member).map(|value| (member.to_owned(), value.clone())));
        }
        facts.extend(described.and_then(|member| Some((member.to_owned(), activity.content.get(member)?.clone()))));
        facts.insert("summaryId".to_owned(), json!(format!("{id}-file")));
        facts.insert("fileType".to_owned(), json!(file_type.name()));
        facts.insert("manual".to_owned(), json!(false));
        let record = Record::new(user, ACTIVITY_FILES, Value::Object(facts));
        Some(Self { file_type, id, start, seconds, record })
    }

    /// The id of its activity, without quotes.
    pub fn activity_id(&self) -> &str {
        &self.id
    }

    /// Its format.
    pub fn file_type(&self) -> FileType {
        self.file_type
    }

    /// What the ping says of it beside `userId` and `callbackURL`, as a record of `activityFiles`.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Its bytes; `user` is whose it is.
    pub fn bytes(&self, user: &User) -> Vec<u8> {
        self.written_as(user, self.file_type)
    }

    /// What in its bytes names the person, each with what it is: the watch's serial number and the first positions.
    pub(super) fn marks(&self, user: &User) -> Vec<(&'static str, Vec<u8>)> {
        let workout = self.workout(user);
        let first = workout.points.iter().take(3);
        let text = |degrees: i64| Degrees(degrees).to_string().into_bytes();
        let mut marks: Vec<(&'static str, Vec<u8>)> = match self.file_type {
            FileType::Fit => first.map(|point| ("position in FIT", fit::position(point))).collect(),
            FileType::Tcx | FileType::Gpx => first
                .flat_map(|point| [("latitude", text(point.latitude)), ("longitude", text(point.longitude))])
                .collect(),
        };
        match self.file_type {
            FileType::Fit => marks.push(("serial number in FIT", fit::serial_and_start(user, self.start))),
            FileType::Tcx => marks.push(("serial number", user.serial.to_string().into_bytes())),
            FileType::Gpx => {}
        }
        marks
    }

    fn workout(&self, user: &User) -> Workout {
        Workout::new(user, self.id.clone(), self.start, self.seconds)
    }

    fn written_as(&self, user: &User, file_type: FileType) -> Vec<u8> {
        let workout = self.workout(user);
        match file_type {
            FileType::Fit => fit::written(user, &workout),
            FileType::Tcx => tcx::written(user, &workout).into_bytes(),
            FileType::Gpx => gpx::written(user, &workout).into_bytes(),
        }
    }
}

/// The file of an activity in this format; `None` where the record is no activity that a watch of this user recorded.
pub fn of(user: &User, activity: &Record, file_type: FileType) -> Option<Vec<u8>> {
    Some(FileOf::of(user, activity)?.written_as(user, file_type))
}

/// The activity's name as text of XML.
fn title(user: &User, workout: &Workout) -> String {
    name(user, &workout.id).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
