//! Makes the golden store of today's format: `cargo test --test make_golden_store`. A plain `cargo test` leaves it
//! out, since a golden store is made once, when its format is, and only read from then on.

#[path = "../golden_support/mod.rs"]
mod golden_support;

use std::{fs, path::Path};

use golden_support::{Folder, NOW, file, push, read};
use serde_json::json;
use studygate::model::connection::{ClientId, GarminUserId};
use studygate::model::participant::{Consent, Window};
use studygate::model::study::{Keep, Rules};
use studygate::people::decide::{link::Target, participant::NewParticipant, study::NewStudy};
use studygate::people::{LinkRequest, People};
use studygate::simulate::random::Random;
use studygate::store::format::FORMAT;

const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

fn main() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/store");
    fs::create_dir_all(&fixtures).expect("a folder");
    let (archive, expected) = (fixtures.join(format!("format-{FORMAT}.zip")), format!("format-{FORMAT}.json"));
    let folder = Folder::new();
    write(&folder);
    folder.pack(&archive);

    let copy = Folder::new();
    copy.unpack(&archive);
    file(copy.open());
    let text = serde_json::to_string_pretty(&read(&copy.open())).expect("JSON");
    fs::write(fixtures.join(expected), text + "\n").expect("written");
}

/// One of everything that is stored.
fn write(folder: &Folder) {
    let site = folder.open();
    let rules = Rules { names: Keep::Keep, ..Rules::default() };
    let new = NewStudy { name: "GOLD".into(), recipients: vec![RECIPIENT.into()], rules };
    site.people.add_study(new, NOW).expect("a study");
    for number in 1..=3 {
        participant(&site.people, number);
    }
    push(&site, &both(100, 9000));
    file(site);
    for number in 0..18 {
        let site = folder.open();
        push(&site, &both(number, 40));
        file(site);
    }
    let site = folder.open();
    let large = json!({ "activityDetails": [{
        "samples": noise(7, 70_000), "summaryId": "x1-detail", "userId": "golden-user-1",
        "activityId": 9_007_199_254_740_993_u64, "summary": { "startTimeInSeconds": NOW.0, "durationInSeconds": 60 },
    }] });
    push(&site, &large.to_string());
    let kinds = json!({
        "activities": [
            { "userId": "golden-user-1", "userAccessToken": "t", "summaryId": "x1", "startTimeInSeconds": NOW.0,
              "startTimeOffsetInSeconds": 3600, "durationInSeconds": 90, "activityName": "Lake run" },
            { "userId": "golden-user-1", "summaryId": "x1", "startTimeInSeconds": NOW.0,
              "startTimeOffsetInSeconds": 3600, "durationInSeconds": 60, "activityName": "Lake run" },
        ],
        "mct": [{ "userId": "golden-user-2", "summaryId": "m1", "periodStartDate": "2026-10-20",
                  "lastUpdatedTimeInSeconds": NOW.0, "pregnancySnapshot": { "title": "ours", "weeks": 9 } }],
        "unheardOf": [{ "userId": "golden-user-2", "deep": [{ "a": 1.50 }] }],
        "epochs": [{ "userId": "golden-user-9", "summaryId": "h1", "n": 1 }, "malformed"],
        "userPermissionsChange": [{ "userId": "golden-user-1", "summaryId": "p", "permissions": ["ACTIVITY_EXPORT", "HEALTH_EXPORT", "MCT_EXPORT"],
                                    "changeTimeInSeconds": NOW.0 }],
        "dailies": [{ "userId": "golden-user-1", "callbackURL": "https://apis.garmin.com/wellness-api/rest/dailies?token=t",
                      "uploadStartTimeInSeconds": 1, "uploadEndTimeInSeconds": 2 },
                    { "userId": "golden-user-3", "summaryId": "gone" }],
    });
    push(&site, &kinds.to_string());
    file(site);
    let site = folder.open();
    push(&site, r#"{"deregistrations":[{"userId":"golden-user-3"}]}"#);
    file(site);
    let site = folder.open();
    push(&site, &both(200, 40));
    push(
        &site,
        &json!({ "sleeps": [{ "userId": "golden-user-1", "summaryId": "s1", "note": noise(8, 70_000) }] }).to_string(),
    );
}

fn participant(people: &People, number: u32) {
    let user = GarminUserId::parse(&format!("golden-user-{number}")).expect("a user");
    let link = LinkRequest { target: Target::User(ClientId::single(), user), window: Window::default() };
    let new = NewParticipant {
        code: Some(format!("G-{number}")),
        window: Window { from: Some(NOW.plus(-400 * 86_400).into()), to: None },
        consent: Some(Consent { version: "v1".into(), date: "2026-10-01".into() }),
    };
    people.add_participant("GOLD", new, Some(link), NOW).expect("a participant");
}

/// A daily of each of two users with a note of this length.
fn both(number: i64, note: usize) -> String {
    let daily = |user: u64| {
        json!({ "userId": format!("golden-user-{user}"), "summaryId": format!("d{number}"), "steps": number,
                "startTimeInSeconds": NOW.plus(-number * 4 * 86_400).0, "note": noise(user * 1000, note) })
    };
    json!({ "dailies": [daily(1), daily(2)] }).to_string()
}

fn noise(seed: u64, digits: usize) -> String {
    Random::at(seed, &[]).hex(digits)
}
