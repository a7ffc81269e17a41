//! What is pushed is in the dataset: every type, every user, every item that can be read.

use serde_json::json;
use studygate::simulate::ledger::Ledger;
use studygate::simulate::notification::Notification;
use studygate::simulate::random::Random;
use studygate::simulate::record::Record;
use studygate::simulate::user::Population;

use crate::site::{Site, code_of};
use crate::{MIDNIGHT, days, first_of, with};

#[test]
fn two_users_and_three_types_in_one_body_end_in_the_dataset() {
    let population = Population::new(101, 2);
    let mut site = Site::new();
    site.add_study("HEART", &[]);
    site.add_participants("HEART", &population);
    let records: Vec<Record> = (0..2)
        .flat_map(|user| ["dailies", "epochs", "sleeps"].map(|summary_type| first_of(&population, user, summary_type)))
        .collect();
    site.push(&Notification::of(population.users(), &records).to_json());
    let dataset = site.export("HEART");
    assert_eq!(dataset.types(), ["dailies", "epochs", "sleeps"]);
    for record in &records {
        let found = dataset.records(&code_of(record.user), &record.summary_type);
        assert_eq!(found.len(), 1, "{} of user {}", record.summary_type, record.user);
        assert_eq!(found[0]["startTimeInSeconds"], record.content["startTimeInSeconds"]);
        assert_eq!(found[0]["durationInSeconds"], record.content["durationInSeconds"]);
    }
}

#[test]
fn simulated_week_with_resends_and_revisions_is_in_the_dataset_once() {
    let population = Population::new(102, 4);
    let mut site = Site::new();
    site.add_study("WEEK", &["--unknown", "keep"]);
    site.add_participants("WEEK", &population);
    let mut random = Random::at(102, &[9]);
    let mut records: Vec<Record> = population.users().iter().flat_map(|user| days(user, 7)).collect();
    let revisions: Vec<Record> = records.iter().filter(|_| random.chance(10)).map(|record| record.revised(1)).collect();
    records.extend(revisions);
    let mut ledger = Ledger::default();
    let mut client = site.client();
    let path = site.notification_path();
    for mixed in records.chunks(23) {
        for _ in 0..1 + random.below(2) {
            let sending = ledger.sent(mixed);
            let body = Notification::of(population.users(), mixed).to_json();
            assert_eq!(client.post(&path, body.as_bytes()).expect("an answer"), 200);
            ledger.acknowledged(sending);
        }
    }
    let dataset = site.export("WEEK");
    assert_eq!(ledger.differences(&dataset.rows()), Vec::<String>::new());
    assert_eq!(dataset.rows().len(), ledger.records_acknowledged());
    assert_eq!(dataset.table("participants").len(), 4);
    assert_eq!(dataset.table("activities").len(), dataset.raw("activities").len());
    assert!(!dataset.table("cycle").is_empty());
}

#[test]
fn every_top_level_key_is_read_whatever_its_order() {
    let population = Population::new(103, 1);
    let mut site = Site::new();
    site.add_study("KEYS", &[]);
    site.add_participants("KEYS", &population);
    let (daily, sleep) = (first_of(&population, 0, "dailies"), first_of(&population, 0, "sleeps"));
    let body = Notification::new()
        .raw("deregistrations", "{\"userId\":\"0000000000000000000000000000ffff\"}".to_owned())
        .push(population.user(0), &sleep)
        .permissions(population.user(0), &["HEALTH_EXPORT"], MIDNIGHT)
        .push(population.user(0), &daily);
    site.push(&body.to_json());
    assert_eq!(site.export("KEYS").types(), ["dailies", "sleeps"]);
}

#[test]
fn one_unknown_user_does_not_fail_the_post_of_the_others() {
    let population = Population::new(104, 2);
    let mut site = Site::new();
    site.add_study("MIXED", &[]);
    site.add_participant("MIXED", "KNOWN", population.user(1));
    let records = [first_of(&population, 0, "dailies"), first_of(&population, 1, "dailies")];
    site.push(&Notification::of(population.users(), &records).to_json());
    let dataset = site.export("MIXED");
    assert_eq!(dataset.records("KNOWN", "dailies").len(), 1);
    assert_eq!(dataset.raw("dailies").len(), 1);
}

#[test]
fn malformed_items_do_not_fail_their_neighbours() {
    let population = Population::new(105, 1);
    let mut site = Site::new();
    site.add_study("FAULTY", &[]);
    site.add_participants("FAULTY", &population);
    let user = population.user(0);
    let body = Notification::new()
        .raw("dailies", "17".to_owned())
        .raw("dailies", "{\"summaryId\":\"nobody-1\"}".to_owned())
        .raw("dailies", format!("{{\"userId\":\"{0}\",\"userId\":\"{0}\",\"summaryId\":\"twice-1\"}}", user.id))
        .push(user, &first_of(&population, 0, "dailies"))
        .to_json();
    let body = body.replacen('{', "{\"sleeps\":{\"userId\":\"no array\"},", 1);
    site.push(&body);
    assert_eq!(site.export("FAULTY").raw("dailies").len(), 1);
    assert_eq!(site.metric("studygate_quarantine_items"), Some(4.0));
}

#[test]
fn unknown_type_is_kept_and_exported_where_the_study_keeps_what_is_unknown() {
    let population = Population::new(106, 1);
    let mut site = Site::new();
    site.add_study("OPEN", &["--unknown", "keep"]);
    site.add_participants("OPEN", &population);
    let beats = Record::new(
        population.user(0),
        "heartbeats",
        json!({"summaryId": "xbeats-1", "startTimeInSeconds": MIDNIGHT.0, "durationInSeconds": 60, "beats": [1, 2.50, "x"]}),
    );
    site.push(&Notification::of(population.users(), std::slice::from_ref(&beats)).to_json());
    let found = site.export("OPEN").records("P000", "heartbeats");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["beats"], beats.content["beats"]);
}

#[test]
fn unknown_types_and_fields_stay_out_of_the_dataset_by_default() {
    let population = Population::new(107, 1);
    let mut site = Site::new();
    site.add_study("STRICT", &[]);
    site.add_participants("STRICT", &population);
    let odd = with(&first_of(&population, 0, "activities"), "shoeSize", json!("forty-three"));
    let beats = Record::new(population.user(0), "heartbeats", json!({"summaryId": "xbeats-1", "beats": 3}));
    site.push(&Notification::of(population.users(), &[odd, beats]).to_json());
    let dataset = site.export("STRICT");
    assert_eq!(dataset.types(), ["activities"]);
    assert!(dataset.records("P000", "activities")[0].get("shoeSize").is_none());
}

#[test]
fn summary_without_a_start_time_is_kept() {
    let population = Population::new(108, 1);
    let mut site = Site::new();
    site.add_study("TIMELESS", &["--unknown", "keep"]);
    site.add_participants("TIMELESS", &population);
    let metrics = first_of(&population, 0, "userMetrics");
    assert!(!metrics.content.contains_key("startTimeInSeconds"));
    site.push(&Notification::of(population.users(), std::slice::from_ref(&metrics)).to_json());
    let found = site.export("TIMELESS").records("P000", "userMetrics");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["vo2Max"], metrics.content["vo2Max"]);
}

#[test]
fn field_is_kept_as_garmin_spells_it() {
    let population = Population::new(109, 1);
    let mut site = Site::new();
    site.add_study("SPELT", &[]);
    site.add_participants("SPELT", &population);
    let details = first_of(&population, 0, "activityDetails");
    site.push(&Notification::of(population.users(), std::slice::from_ref(&details)).to_json());
    let found = site.export("SPELT").records("P000", "activityDetails");
    let (sent, got) = (&details.content["samples"], &found[0]["samples"]);
    assert_eq!(got[0]["airTemperatureCelcius"], sent[0]["airTemperatureCelcius"]);
    assert!(got[0].get("latitudeInDegree").is_none());
    assert_eq!(got.as_array().map(Vec::len), sent.as_array().map(Vec::len));
}

#[test]
fn gzip_and_chunked_bodies_are_taken() {
    use std::io::Write as _;
    let population = Population::new(110, 1);
    let mut site = Site::new();
    site.add_study("CODED", &[]);
    site.add_participants("CODED", &population);
    let body = |summary_type| {
        Notification::of(population.users(), &[first_of(&population, 0, summary_type)]).to_json().into_bytes()
    };
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&body("dailies")).expect("memory takes all");
    let zipped = encoder.finish().expect("memory takes all");
    let path = site.notification_path();
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    let mut client = site.client();
    let gzip = client.send("POST", &path, &headers, crate::site::https::Body::Bytes(&zipped)).expect("an answer");
    assert_eq!(gzip.0, 200);
    let sleeps = body("sleeps");
    let mut pieces = sleeps.chunks(100).map(<[u8]>::to_vec);
    let chunked = client.send("POST", &path, &headers[..1], crate::site::https::Body::Chunked(&mut pieces));
    assert_eq!(chunked.expect("an answer").0, 200);
    assert_eq!(site.export("CODED").types(), ["dailies", "sleeps"]);
}
