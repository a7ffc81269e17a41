//! Everything that is held on a participant, handed out for the participant.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::Path;

use serde_json::Value;
use studygate::simulate::user::Population;

use crate::site::Site;

/// The key that the site's studies are encrypted to.
fn recipient(site: &Site) -> String {
    site.cli_json(&["study", "show", "DIS"])["recipients"][0].as_str().expect("a recipient").to_owned()
}

/// The files of a disclosure.
fn opened(site: &Site, file: &Path) -> BTreeMap<String, Vec<u8>> {
    let key = std::fs::read_to_string(site.key_path()).expect("the key");
    let key = key.lines().find(|line| line.starts_with("AGE-SECRET-KEY")).expect("a secret key");
    let key: age::x25519::Identity = key.parse().expect("a key");
    let sealed = std::fs::read(file).expect("written");
    let decryptor = age::Decryptor::new_buffered(&sealed[..]).expect("an age file");
    let mut plain = Vec::new();
    let mut reader = decryptor.decrypt(std::iter::once(&key as &dyn age::Identity)).expect("it opens");
    reader.read_to_end(&mut plain).expect("whole");
    let mut zip = zip::ZipArchive::new(Cursor::new(plain)).expect("a zip");
    let mut files = BTreeMap::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("whole");
        files.insert(file.name().expect("text").into_owned(), bytes);
    }
    files
}

fn text<'a>(files: &'a BTreeMap<String, Vec<u8>>, path: &str) -> &'a str {
    std::str::from_utf8(&files[path]).expect("text")
}

#[test]
fn participant_gets_everything_that_is_held_on_them_and_nothing_of_others() {
    let population = Population::new(801, 2);
    let mut site = Site::new();
    site.add_study("DIS", &[]);
    site.add_participants("DIS", &population);
    let users = [population.user(0).id.clone(), population.user(1).id.clone()];
    for (user, own) in [(&users[0], "first-own-words"), (&users[1], "second-own-words")] {
        for duration in [60, 90] {
            site.push(&format!(
                r#"{{"activities":[{{"userId":"{user}","summaryId":"a-1","activityId":7,"startTimeInSeconds":1793491200,
                "activityName":"{own}","durationInSeconds":{duration},"startingLatitudeInDegree":47.125}}]}}"#
            ));
            site.wait_until_filed();
        }
        site.push(&format!(
            r#"{{"dailies":[{{"userId":"{user}","summaryId":"d-1","callbackURL":"https://elsewhere.example/{own}"}}],
            "userPermissionsChange":[{{"userId":"{user}","permissions":["ACTIVITY_EXPORT","HEALTH_EXPORT"],"changeTimeInSeconds":1793491300}}]}}"#
        ));
    }
    drop(site.export("DIS"));
    let file = site.scratch("disclosure.zip.age");
    let recipient = recipient(&site);
    let output = file.to_str().expect("a path");
    let arguments =
        ["participant", "disclose", "--study", "DIS", "--code", "P000", "--recipient", &recipient, "-o", output];
    site.cli(&arguments);

    let files = opened(&site, &file);
    let activities: Vec<Value> = text(&files, "records/activities.ndjson")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let [earlier, later] = &activities[..] else { panic!("two versions: {activities:?}") };
    assert_eq!((&earlier["current"], &later["current"]), (&Value::Bool(false), &Value::Bool(true)));
    assert_eq!(later["names"]["activityName"], "first-own-words");
    assert_eq!(later["record"]["startingLatitudeInDegree"], 47.125);
    let participant: Value = serde_json::from_slice(&files["participant.json"]).expect("JSON");
    assert_eq!(participant["links"][0]["garmin_user_id"], users[0].as_str());
    assert_eq!(participant["links"][0]["permissions"]["told"][0]["granted"][0], "ACTIVITY_EXPORT");
    let refused: Value = serde_json::from_slice(&files["refused/items.json"]).expect("JSON");
    assert_eq!(refused[0]["reason"], "refused-callback");
    let item = format!("refused/{}.bin", refused[0]["item"].as_str().expect("an id"));
    assert!(text(&files, &item).contains("first-own-words"));
    let exports: Value = serde_json::from_slice(&files["exports.json"]).expect("JSON");
    assert_eq!((&exports[0]["number"], &exports[0]["code"]), (&1.into(), &"P000".into()));
    assert_eq!(exports[0]["recipients"].as_array().map(Vec::len), Some(1));
    for act in ["participant-added", "participant-disclosed"] {
        assert!(text(&files, "audit.ndjson").contains(act), "{act}");
    }
    assert!(text(&files, "README.txt").contains("2 records") && files.contains_key("SHA256SUMS"));
    for (path, bytes) in &files {
        let found = String::from_utf8_lossy(bytes);
        for other in ["second-own-words", users[1].as_str(), "P001"] {
            assert!(!found.contains(other), "{other} of somebody else in {path}");
        }
    }

    let again = site.run(&arguments);
    assert_eq!(again.status.code(), Some(73), "what exists is left alone");
    site.cli(&["participant", "withdraw", "--study", "DIS", "--code", "P000", "--yes", "--reason", "asked to"]);
    std::fs::remove_file(&file).expect("removed");
    let refused = site.run(&arguments);
    assert!(!refused.status.success() && !file.exists());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("gives the receipt"), "{said}");
}
