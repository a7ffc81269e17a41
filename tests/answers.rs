//! Answers to pings on their way into the journal: what is taken, what is refused, and what stands there afterwards.

#![expect(clippy::unwrap_used, reason = "a test whose stage cannot be set fails")]

#[path = "answers_support/mod.rs"]
mod support;

use std::time::Duration;

use bytes::Bytes;
use studygate::ingest::answer::{Pending, Taken};
use studygate::ingest::file_kind::FileKind;
use studygate::ingest::refusal::{Malformed, Refusal};
use studygate::journal::{Body, Header};
use studygate::model::{
    connection::ClientId,
    entry::{Entry, Field, Shape, Whose},
};
use support::{BYTES_MAX, NOW, PULL, Site, to};

/// A durable body: what stands beside it, its bytes, its entries.
type Stored = (Header, Vec<u8>, Vec<Entry>);

impl Site {
    async fn records(&self, summary_type: &str, answer: &[u8], piece: usize) -> Result<Pending, Refusal> {
        let mut intake = self.answers.records(to(summary_type));
        for piece in answer.chunks(piece) {
            intake.push(Bytes::copy_from_slice(piece)).await?;
        }
        intake.end().await
    }

    async fn take(&self, summary_type: &str, answer: &[u8]) -> Result<Taken, Refusal> {
        self.records(summary_type, answer, 50_000).await?.durable().await
    }

    async fn file(&self, item: &str, kind: Option<FileKind>, content: &[u8]) -> Result<Taken, Refusal> {
        let fields = [(Field::SummaryId, "s-1".into()), (Field::FileBytes, "1".into())];
        let mut intake = self.answers.file(to("activityFiles"), item, &fields, kind).await?;
        for piece in content.chunks(10_000) {
            intake.push(Bytes::copy_from_slice(piece)).await?;
        }
        intake.end().await?.durable().await
    }

    /// Everything in the journal, in order, and filed with that.
    fn stored(&self) -> Vec<Stored> {
        let mut reader = self.reader.lock().unwrap();
        let mut bodies = Vec::new();
        while let Some(delivery) = reader.next(Duration::ZERO).unwrap() {
            let (bytes, entries) = match delivery.body {
                Body::Inline { bytes, entries } => (bytes, entries),
                Body::Spilled(mut spilled) => {
                    let mut entries = Vec::new();
                    while let Some(entry) = spilled.next_entry().unwrap() {
                        entries.push(entry);
                    }
                    let end = entries.last().map_or(0, |entry| entry.file().unwrap_or(entry.span.clone()).end);
                    let mut bytes = Vec::new();
                    spilled.read(0..end, &mut |piece| bytes.extend_from_slice(piece)).unwrap();
                    (bytes, entries)
                }
            };
            reader.filed(delivery.position).unwrap();
            bodies.push((delivery.header, bytes, entries));
        }
        bodies
    }
}

fn text<'a>(bytes: &'a [u8], entry: &Entry) -> &'a str {
    let span = usize::try_from(entry.span.start).unwrap()..usize::try_from(entry.span.end).unwrap();
    std::str::from_utf8(&bytes[span]).unwrap()
}

fn is(whose: &Whose, user: &str) -> bool {
    matches!(whose, Whose::User(found) if **found == *user)
}

#[tokio::test]
async fn each_item_of_an_answer_becomes_the_asked_users() {
    let site = Site::new(0);
    let answer = br#" [{"summaryId":"a"}, {"summaryId":"b","userId":"asked"}, {"userId":"other"}, 7]"#;
    for piece in [1, 7, 1000] {
        let pending = site.records("dailies", answer, piece).await.unwrap();
        assert!(site.stored().is_empty(), "nothing before it is waited for");
        assert_eq!(pending.durable().await, Ok(Taken { items: 4, expected: true }));
        let [(header, bytes, entries)] = &site.stored()[..] else { panic!("one body") };
        assert_eq!(*header, Header { received: NOW, client: ClientId::new("client-a"), pull: Some(PULL) });
        assert_eq!(text(bytes, &entries[0]), r#"{"summaryId":"a"}"#);
        assert!(is(&entries[0].whose, "asked") && is(&entries[1].whose, "asked"));
        assert!(entries[2].whose == Whose::Unreadable, "another's goes to quarantine");
        assert_eq!(entries[3].shape, Shape::NotAnObject);
        assert!(entries.iter().all(|entry| &*entry.member == "dailies"));
    }
}

#[tokio::test]
async fn answer_without_items_is_stored_so_that_its_job_ends() {
    let site = Site::new(0);
    assert_eq!(site.take("dailies", b" [ ] ").await, Ok(Taken { items: 0, expected: true }));
    let [(header, _, entries)] = &site.stored()[..] else { panic!("one body") };
    assert!(header.pull == Some(PULL) && entries.is_empty());
}

#[tokio::test]
async fn answer_makes_no_ping() {
    let site = Site::new(0);
    site.take("dailies", br#"[{"callbackURL":"https://apis.example/x?token=t"}]"#).await.unwrap();
    let entry = &site.stored()[0].2[0];
    assert!(entry.shape == Shape::Push && entry.field(Field::CallbackUrl).is_none());
}

#[tokio::test]
async fn hostile_answer_is_refused_and_leaves_nothing() {
    let site = Site::new(0);
    let deep = [vec![b'['; 100], vec![b']'; 100]].concat();
    let answers: &[&[u8]] = &[
        br#"[],"deregistrations":[{"userId":"x"}]"#,
        br#"[{}],"dailies":[{}]"#,
        br#"[],"other":[]"#,
        b"]}{",
        b"[]}",
        b"[]]",
        b"[}",
        b"",
        b"{}",
        br#"{"dailies":[{}]}"#,
        b"7",
        b"null",
        br#""[]""#,
        b"[{}",
        b"[{},]",
        b"[\"",
        b"[\xFF]",
        &deep,
    ];
    for answer in answers {
        for padding in [0, 100_000] {
            // Small answers and large ones take different ways.
            let answer = [&vec![b' '; padding][..], answer].concat();
            let refused = site.take("dailies", &answer).await;
            assert!(matches!(refused, Err(Refusal::Malformed(_))), "{}", String::from_utf8_lossy(&answer));
        }
    }
    let controls = site.take("deregistrations", br#"[{"userId":"asked"}]"#).await;
    assert!(matches!(controls, Err(Refusal::Malformed(Malformed::NotAnAnswer(_)))), "a ping announces no control item");
    assert!(site.stored().is_empty());
    site.wait_until_clean().await;
}

#[tokio::test]
async fn answer_of_a_type_that_is_no_plain_word_stays_under_it() {
    let site = Site::new(0);
    let name = "a\":[],\"deregistrations";
    site.take(name, b"[{}]").await.unwrap();
    assert_eq!(&*site.stored()[0].2[0].member, name);
}

#[tokio::test]
async fn nothing_is_taken_after_a_refusal() {
    let site = Site::new(0);
    let mut intake = site.answers.records(to("dailies"));
    assert!(intake.push(Bytes::from_static(b"x")).await.is_err());
    assert!(intake.push(Bytes::from_static(b"[]")).await.is_err());
    assert!(intake.end().await.is_err());
    assert!(site.stored().is_empty());
}

#[tokio::test]
async fn large_answer_is_whole_and_its_repetitions_are_kept() {
    let site = Site::new(0);
    let item = format!(r#"{{"summaryId":"a","x":"{}"}}"#, "y".repeat(1000));
    let answer = format!("[{}]", vec![&*item; 500].join(","));
    assert_eq!(site.take("epochs", answer.as_bytes()).await, Ok(Taken { items: 500, expected: true }));
    let [(header, bytes, entries)] = &site.stored()[..] else { panic!("one body") };
    assert_eq!(header.pull, Some(PULL));
    assert!(entries.iter().all(|entry| is(&entry.whose, "asked") && text(bytes, entry) == item));
}

#[tokio::test]
async fn limit_is_that_of_the_answer_alone() {
    let site = Site::new(0);
    let length = usize::try_from(BYTES_MAX).unwrap();
    let fits = format!("[{}]", " ".repeat(length - 2));
    assert!(site.take("dailies", fits.as_bytes()).await.is_ok());
    assert_eq!(site.take("dailies", format!("{fits} ").as_bytes()).await, Err(Refusal::TooLarge));
    assert!(site.file("{}", None, &vec![0; length]).await.is_ok());
    assert_eq!(site.file("{}", None, &vec![0; length + 1]).await, Err(Refusal::TooLarge));
    assert_eq!(site.stored().len(), 2);
    site.wait_until_clean().await;
}

const ITEM: &str = r#"{"summaryId":"s-1","fileType":"GPX"}"#;
const TRACK: &[u8] = b"<?xml version='1.0'?><gpx><trk></trk></gpx>\n";

#[tokio::test]
async fn file_stands_behind_the_item_that_announced_it() {
    let site = Site::new(0);
    assert_eq!(site.file(ITEM, Some(FileKind::Gpx), TRACK).await, Ok(Taken { items: 1, expected: true }));
    let [(header, bytes, entries)] = &site.stored()[..] else { panic!("one body") };
    assert_eq!(header.pull, Some(PULL));
    let [entry] = &entries[..] else { panic!("one entry") };
    assert!(entry.shape == Shape::File && is(&entry.whose, "asked") && &*entry.member == "activityFiles");
    assert_eq!(text(bytes, entry), ITEM);
    let file = entry.file().unwrap();
    assert_eq!(&bytes[usize::try_from(file.start).unwrap()..], TRACK);
    assert_eq!(entry.fields, [(Field::SummaryId, "s-1".into()), (Field::FileBytes, TRACK.len().to_string().into())]);
    site.wait_until_clean().await;
}

#[tokio::test]
async fn file_whose_content_is_not_what_was_announced_is_kept_as_unexpected() {
    let site = Site::new(0);
    let cut = &TRACK[..TRACK.len() - 4];
    let cases: &[(Option<FileKind>, &[u8], Shape)] = &[
        (Some(FileKind::Fit), TRACK, Shape::UnexpectedFile),
        (Some(FileKind::Gpx), cut, Shape::UnexpectedFile),
        (Some(FileKind::Gpx), b"", Shape::UnexpectedFile),
        (None, b"[]", Shape::UnexpectedFile),
        (None, TRACK, Shape::File),
    ];
    for (kind, content, shape) in cases {
        let taken = site.file(ITEM, *kind, content).await.unwrap();
        assert_eq!(taken.expected, *shape == Shape::File);
        assert_eq!(site.stored()[0].2[0].shape, *shape);
    }
}

#[tokio::test]
async fn file_behind_an_item_that_is_no_object_is_refused_before_it_is_asked_for() {
    let site = Site::new(0);
    for item in ["", "7", "{}],\"deregistrations\":[{}", "{},{}", "{", "{}]}"] {
        assert!(matches!(site.file(item, None, TRACK).await, Err(Refusal::Malformed(_))), "{item}");
    }
    assert!(site.stored().is_empty());
    site.wait_until_clean().await;
}

#[tokio::test]
async fn file_that_is_given_up_leaves_nothing() {
    let site = Site::new(0);
    let mut intake = site.answers.file(to("activityFiles"), ITEM, &[], None).await.unwrap();
    intake.push(Bytes::from_static(TRACK)).await.unwrap();
    drop(intake);
    site.wait_until_clean().await;
    assert!(site.stored().is_empty());
}

#[tokio::test]
async fn disk_under_its_reserve_refuses_a_file_before_it_is_asked_for() {
    let site = Site::new(u64::MAX);
    let begun = site.answers.file(to("activityFiles"), ITEM, &[], None).await;
    assert!(matches!(begun, Err(Refusal::DiskLow)));
    site.wait_until_clean().await;
}

#[tokio::test]
async fn answers_are_counted_as_pulled_and_not_as_notifications() {
    let site = Site::new(0);
    site.take("dailies", br#"[{},{"userId":"other"}]"#).await.unwrap();
    site.file(ITEM, None, TRACK).await.unwrap();
    let metrics = site.registry.render();
    for line in [
        "studygate_items_total{kind=\"pulled\",outcome=\"accepted\",type=\"dailies\"} 1\n",
        "studygate_items_total{kind=\"pulled\",outcome=\"quarantined\",type=\"dailies\"} 1\n",
        "studygate_items_total{kind=\"file\",outcome=\"accepted\",type=\"activityFiles\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    assert!(!metrics.contains("studygate_last_notification_timestamp_seconds{"));
}
