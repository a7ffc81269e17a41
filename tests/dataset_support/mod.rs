//! A small study in memory, made up, with every kind of member that a dataset must not show.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use studygate::{
    crypto::key::Key,
    dataset::{
        about::{About, Lineage},
        keyfile::Identities,
        open::{Summary, open},
        recipient::Recipient,
        source::{Content, ParticipantRow, RecordHead, Source, Visitor},
        spill::Scratch,
        write::{Options, Written, write},
    },
    model::{
        audit::AuditHead,
        participant::{ParticipantState, Window},
        shift::Shift,
        study::Rules,
        summary::SummaryType,
        time::UnixSeconds,
    },
    simulate::record::Record as Simulated,
};

pub(crate) const NOON: i64 = 1_793_534_400;

/// What identifies somebody in the records below; none of it may stand in a dataset by default.
pub(crate) const MARKERS: &[&str] = &[
    "51.0532325",
    "-114.0688",
    "51.05",
    "-114.06",
    "Olterra",
    "Marwood",
    "MKR-USER",
    "MKR-SUMMARY",
    "MKR-NOVEL",
    "MKR-TITLE",
    "MKR-FILE",
];

/// What is said of the file of the first run.
pub(crate) const RUN_FILE: &str = r#"{"activity_id":"bbbbbbbbbbbbbbb2","fileType":"FIT","activityType":"RUNNING","deviceName":"Watch 9","startTimeInSeconds":1793534400,"manual":false,"activityName":"Olterra Running","activityDescription":"with Marwood","callbackURL":"https://apis.example/MKR-USER"}"#;

/// So many bytes as a device might record, line feeds among them.
pub(crate) fn recorded(bytes: usize) -> Vec<u8> {
    let mut random = 1_u64;
    let mut file = Vec::new();
    while file.len() < bytes {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        file.extend_from_slice(b"MKR-FILE\n{}\n\0");
        file.extend_from_slice(&random.to_be_bytes());
    }
    file.truncate(bytes);
    file
}

pub(crate) struct Record {
    pub(crate) participant: &'static str,
    pub(crate) record_id: &'static str,
    pub(crate) start: Option<i64>,
    pub(crate) offset: Option<i32>,
    pub(crate) content: Vec<u8>,
    /// Which of the record's versions it is.
    pub(crate) revision: u32,
    /// Whether no other version of it counts.
    pub(crate) current: bool,
}

#[derive(Default)]
pub(crate) struct Study {
    pub(crate) records: BTreeMap<SummaryType, Vec<Record>>,
    /// Fails the pass over this type.
    pub(crate) failing: Option<&'static str>,
    /// How many bytes of content a piece has.
    pub(crate) piece_bytes: usize,
}

impl Study {
    /// Two participants, activities, details, cycles and a type that the gateway does not know.
    pub(crate) fn made_up() -> Self {
        let mut study = Self { piece_bytes: 5, ..Self::default() };
        study.add(
            "activities",
            "SLEEP-01",
            "aaaaaaaaaaaaaaa2",
            r#"{"record_id":"aaaaaaaaaaaaaaa2","activity_id":"bbbbbbbbbbbbbbb2","startTimeInSeconds":1793534400,"startTimeOffsetInSeconds":-25200,"activityType":"RUNNING","durationInSeconds":1789,"averageHeartRateInBeatsPerMinute":144,"averageSpeedInMetersPerSecond":2.7809998989105225,"steps":9007199254740993,"deviceName":"=HYPERLINK(\"x\")","startingLatitudeInDegree":51.053232522681355,"startingLongitudeInDegree":-114.06880217604339,"novelty":"MKR-NOVEL","isParent":false}"#,
        );
        study.add(
            "activities",
            "SLEEP-01",
            "aaaaaaaaaaaaaaa3",
            r#"{"record_id":"aaaaaaaaaaaaaaa3","parent_record_id":"aaaaaaaaaaaaaaa2","activityType":"a, \"quoted\"\nkind","durationInSeconds":null,"manual":true,"summaryId":"MKR-SUMMARY-1","userId":"MKR-USER-1","activityName":"Olterra Running","activityDescription":"with Marwood"}"#,
        );
        study.add("activities", "SLEEP-02", "aaaaaaaaaaaaaaa4", r#"{"record_id":"aaaaaaaaaaaaaaa4"}"#);
        study.add(
            "activityDetails",
            "SLEEP-01",
            "ccccccccccccccc2",
            r#"{"record_id":"ccccccccccccccc2","activity_id":"bbbbbbbbbbbbbbb2","samples":[{"startTimeInSeconds":1793534400,"latitudeInDegree":51.053232522681355,"longitudeInDegree":-114.06880217604339,"heartRate":108,"airTemperatureCelcius":21.5},{"startTimeInSeconds":1793534401,"heartRate":109}],"laps":[{"startTimeInSeconds":1793534400}],"summary":{"durationInSeconds":1789,"deviceName":"Watch 9","activityName":"Olterra Running","startingLatitudeInDegree":51.053232522681355}}"#,
        );
        study.add(
            "mct",
            "SLEEP-02",
            "ddddddddddddddd2",
            r#"{"record_id":"ddddddddddddddd2","periodStartDate":"2026-10-11","dayInCycle":21,"periodLength":5,"currentPhase":6,"currentPhaseType":"SECOND_TRIMESTER","lengthOfCurrentPhase":98,"predictedCycleLength":280,"isPredictedCycle":false,"lastUpdatedTimeInSeconds":1793534400,"pregnancySnapshot":{"title":"MKR-TITLE","originalDueDate":"2027-07-17","dueDate":"2027-07-18","numOfBabies":"SINGLE","weightGoalUserInput":{"heightInCentimeters":162,"weightInGrams":58966},"bloodGlucoseList":[{"valueInMilligramsPerDeciliter":97.0,"logType":"BEFOREBED","reportTimestampInSeconds":1793534401}]}}"#,
        );
        study.add_file("SLEEP-01", "ggggggggggggggg2", RUN_FILE, &recorded(200_000));
        study.add_file("SLEEP-02", "ggggggggggggggg3", r#"{"fileType":"TCX"}"#, &recorded(70));
        study.add(
            "../beats",
            "SLEEP-02",
            "eeeeeeeeeeeeeee2",
            r#"{"record_id":"eeeeeeeeeeeeeee2","novelty":"MKR-NOVEL","userId":"MKR-USER-2"}"#,
        );
        study
    }

    pub(crate) fn add(
        &mut self,
        summary_type: &str,
        participant: &'static str,
        record_id: &'static str,
        content: &str,
    ) {
        let timed = content.contains("startTimeInSeconds") || summary_type == "dailies";
        self.records.entry(SummaryType::named(summary_type)).or_default().push(Record {
            participant,
            record_id,
            start: timed.then_some(NOON),
            offset: timed.then_some(-25_200),
            content: content.into(),
            revision: 1,
            current: true,
        });
    }

    /// Adds what the simulated Garmin sends, with pseudonyms in the place of Garmin's identifiers.
    pub(crate) fn add_simulated(&mut self, simulated: &Simulated, record_id: &'static str) {
        let mut content = simulated.content.clone();
        content.remove("summaryId");
        content.insert("record_id".to_owned(), record_id.into());
        if content.remove("activityId").is_some() {
            content.insert("activity_id".to_owned(), "made-up-activity".into());
        }
        let number = |names: &[&str]| {
            let summary = content.get("summary");
            names.iter().find_map(|name| content.get(*name).or_else(|| summary?.get(*name))?.as_f64())
        };
        let start = number(&["startTimeInSeconds", "measurementTimeInSeconds"]).map(|seconds| seconds as i64);
        let offset = number(&[
            "startTimeOffsetInSeconds",
            "offsetInSeconds",
            "offsetStartTimeInSeconds",
            "measurementTimeOffsetInSeconds",
        ]);
        let summary_type = SummaryType::named(&simulated.summary_type);
        let text = serde_json::to_string(&content).expect("JSON");
        self.records.entry(summary_type).or_default().push(Record {
            participant: "SLEEP-01",
            record_id,
            start,
            offset: offset.map(|seconds| seconds as i32),
            content: text.into_bytes(),
            revision: 1,
            current: true,
        });
    }

    /// Adds an activity file.
    pub(crate) fn add_file(
        &mut self,
        participant: &'static str,
        record_id: &'static str,
        description: &str,
        file: &[u8],
    ) {
        self.add("activityFiles", participant, record_id, description);
        let record = self.records.get_mut(&SummaryType::named("activityFiles")).and_then(|records| records.last_mut());
        record.expect("just added").content.extend([b"\n", file].concat());
    }
}

/// 3 weeks for the first participant, 4 for the others.
fn shift_of(code: &str) -> Option<Shift> {
    Shift::try_from(if code == "SLEEP-01" { 3 } else { 4 }).ok()
}

impl Source for Study {
    fn participants(&mut self) -> io::Result<Vec<ParticipantRow>> {
        let row = |code: &str, state, records| ParticipantRow {
            code: code.to_owned(),
            state,
            window: Window { from: Some(UnixSeconds(NOON - 86_400).into()), to: None },
            consent_version: Some("2.1".to_owned()),
            consent_date: Some("2026-10-01".to_owned()),
            first_record: Some(UnixSeconds(NOON)),
            last_record: None,
            records,
            shift: shift_of(code),
        };
        Ok(vec![row("SLEEP-01", ParticipantState::Active, 3), row("SLEEP-02", ParticipantState::Completed, 2)])
    }

    fn types(&mut self) -> io::Result<Vec<SummaryType>> {
        Ok(self.records.keys().rev().cloned().collect())
    }

    fn records(&mut self, summary_type: &SummaryType, visit: &mut Visitor<'_>) -> io::Result<()> {
        if self.failing == Some(summary_type.name()) {
            return Err(io::Error::other("the store failed"));
        }
        for record in self.records.get(summary_type).into_iter().flatten() {
            let head = RecordHead {
                participant: record.participant,
                record_id: record.record_id,
                received: UnixSeconds(NOON + 60),
                revision: record.revision,
                current: record.current,
                start: record.start.map(UnixSeconds),
                offset: record.offset,
                shift: shift_of(record.participant),
            };
            visit(&head, &mut Pieces(&record.content, self.piece_bytes.max(1)))?;
        }
        Ok(())
    }
}

struct Pieces<'a>(&'a [u8], usize);

impl Content for Pieces<'_> {
    fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.0.chunks(self.1).try_for_each(piece)
    }
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dataset")
}

pub(crate) fn identities() -> Identities {
    Identities::read(&fixtures().join("made-up-key.txt")).expect("the tests' key file")
}

pub(crate) fn recipient() -> Recipient {
    let text = fs::read_to_string(fixtures().join("made-up-key.txt")).expect("the tests' key file");
    let line = text.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key");
    Recipient::parse(line).expect("a recipient")
}

pub(crate) fn about(rules: Rules) -> About {
    About {
        study: "SLEEP".to_owned(),
        number: 7,
        sequence: 4711,
        made_at: UnixSeconds(NOON + 3600),
        window: Window::default(),
        recipients: vec![recipient()],
        rules,
        rules_version: 2,
        audit: Some(AuditHead { sequence: 12, digest: "ab".repeat(32), signature: "cd".repeat(64) }),
        software: "studygate test".to_owned(),
        lineage: Lineage::default(),
    }
}

pub(crate) fn seed() -> Key {
    Key::from_bytes([42; 32])
}

pub(crate) fn scratch() -> Scratch {
    Scratch {
        dir: env!("CARGO_TARGET_TMPDIR").into(),
        rng: Arc::new(ring::rand::SystemRandom::new()),
        room: Arc::new(|_| true),
    }
}

/// The study's dataset under these rules, encrypted.
pub(crate) fn dataset(study: &mut Study, rules: Rules) -> Written<Vec<u8>> {
    write(study, &about(rules), &Options::default(), &scratch(), &seed(), Vec::new()).expect("written")
}

/// The opened dataset, in `dir/opened`.
pub(crate) fn opened(encrypted: &[u8], dir: &Path) -> (Summary, PathBuf) {
    let out = dir.join("opened");
    let summary = open(&file(encrypted, dir), &identities(), &out).expect("opened");
    (summary, out)
}

pub(crate) fn file(encrypted: &[u8], dir: &Path) -> PathBuf {
    let path = dir.join("dataset.zip.age");
    fs::write(&path, encrypted).expect("written");
    path
}

/// Every file under a folder by its path.
pub(crate) fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(dir).expect("inside").display().to_string();
                files.insert(name, fs::read(entry.path()).expect("readable"));
            }
        }
    }
    files
}

/// An output that tells how much came to it.
#[derive(Clone, Default)]
pub(crate) struct Meter(pub(crate) Rc<Cell<usize>>);

impl Write for Meter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
