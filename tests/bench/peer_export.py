#!/usr/bin/env python3
"""The peer of `studygate export`: a plain pandas script that does the same job.

    peer_export.py OPENED FOLDER RECIPIENT

reads the records in OPENED/raw, an opened dataset, writes the tables that OPENED/codebook.csv names as CSV below
FOLDER/data, and pipes both through zip and age into FOLDER/dataset.zip.age. It needs pandas, zip and age.
"""

import itertools
import json
import pathlib
import subprocess
import sys

import pandas as pd

# Of each table: the type its records are of, what is a row (the record, each element of an array, each stretch under a
# member, each offset of the maps), where that stands, and the members that time a row.
TABLES = {
    "activities": ("activities", "record", ""),
    "activity_details": ("activityDetails", "record", "summary"),
    "activity_samples": ("activityDetails", "elements", "samples", "startTimeInSeconds"),
    "activity_laps": ("activityDetails", "elements", "laps", "startTimeInSeconds"),
    "activity_files": ("activityFiles", "record", ""),
    "manual_activities": ("manuallyUpdatedActivities", "record", ""),
    "move_iq": ("moveIQActivities", "record", ""),
    "cycle": ("mct", "record", ""),
    "cycle_glucose": ("mct", "elements", "pregnancySnapshot.bloodGlucoseList", "reportTimestampInSeconds"),
    "dailies": ("dailies", "record", ""),
    "daily_heart_rates": ("dailies", "offsets", ""),
    "epochs": ("epochs", "record", ""),
    "sleeps": ("sleeps", "record", ""),
    "sleep_stages": ("sleeps", "spans", "sleepLevelsMap", "startTimeInSeconds"),
    "sleep_naps": ("sleeps", "elements", "naps", "napStartTimeInSeconds"),
    "sleep_values": ("sleeps", "offsets", ""),
    "stress": ("stressDetails", "record", ""),
    "stress_values": ("stressDetails", "offsets", ""),
    "body_battery_events": ("stressDetails", "elements", "bodyBatteryActivityEvents", "eventStartTimeInSeconds"),
    "hrv": ("hrv", "record", ""),
    "hrv_values": ("hrv", "offsets", ""),
    "blood_pressure": ("bloodPressures", "record", ""),
    "body_comps": ("bodyComps", "record", ""),
    "user_metrics": ("userMetrics", "record", ""),
    "spo2": ("pulseox", "record", ""),
    "spo2_values": ("pulseox", "offsets", ""),
    "respiration": ("allDayRespiration", "record", ""),
    "respiration_values": ("allDayRespiration", "offsets", ""),
    "health_snapshot": ("healthSnapshot", "record", ""),
    "health_snapshot_items": ("healthSnapshot", "elements", "summaries"),
    "health_snapshot_values": ("healthSnapshot", "offsets", "summaries"),
    "skin_temp": ("skinTemp", "record", ""),
}
STARTS = ("startTimeInSeconds", "measurementTimeInSeconds")
OFFSETS = (
    "startTimeOffsetInSeconds",
    "offsetInSeconds",
    "offsetStartTimeInSeconds",
    "measurementTimeOffsetInSeconds",
)
STATUSES = {-1: "unmeasurable", -2: "motion", -3: "not_enough_data", -4: "recovering", -5: "unidentified"}
NUMBERS = ("sample", "lap", "reading", "span", "nap", "event", "item")
CHUNK = 20_000


def below(value, path):
    for name in path.split(".") if path else ():
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def first(record, names):
    for place in (record, record.get("summary") or {}):
        for name in names:
            if name in place:
                return place[name]
    return None


def rows_of(lines, kind, place, time, maps):
    """(participant, record_id, record, start, offset, number, since start, member, object) of each row."""
    for line in lines:
        record = line["record"]
        start, offset = first(record, STARTS), first(record, OFFSETS)
        head = (line["participant"], line["record_id"], record)
        if kind == "record":
            yield *head, start, offset, None, None, None, below(record, place) or {}
        elif kind == "elements":
            for number, element in enumerate(below(record, place) or [], 1):
                yield *head, element.get(time) if time else start, offset, number, None, None, element
        elif kind == "spans":
            spans = [(span.get(time), level, span) for level, spans in (below(record, place) or {}).items() for span in spans]
            for number, (at, level, span) in enumerate(sorted(spans, key=lambda one: one[0]), 1):
                yield *head, at, offset, number, None, level, span
        else:
            holders = below(record, place) if place else [record]
            for number, holder in enumerate(holders or [], 1):
                joined = {}
                for path in maps:
                    values = holder.get(path)
                    for at, value in values.items() if isinstance(values, dict) else ():
                        joined.setdefault(int(at), {})[path] = value
                for at in sorted(joined):
                    yield *head, None if start is None else start + at, offset, number, at, None, holder | joined[at]


def frame(lines, kind, place, time, columns):
    """The table of these records."""
    prefix = place + "." if place else ""
    members = {}
    for variable, paths in zip(columns.variable, columns.garmin_field):
        if paths:
            path = paths.split(" or ")[0]
            members[variable] = path.removeprefix(prefix) if kind != "spans" else path.split(".")[-1]
    maps = set(members.values()) if kind == "offsets" else ()
    rows = list(rows_of(lines, kind, place, time, maps))
    names = ["participant", "record_id", "record", "start", "offset", "number", "since", "member", "object"]
    table = pd.DataFrame(rows, columns=names)
    start = pd.to_datetime(pd.to_numeric(table.start), unit="s")
    local = pd.to_datetime(pd.to_numeric(table.start) + pd.to_numeric(table.offset), unit="s")
    written = {}
    for variable, type_ in zip(columns.variable, columns.type):
        if variable in ("participant", "record_id"):
            written[variable] = table[variable]
        elif variable == "local_date":
            written[variable] = local.dt.strftime("%Y-%m-%d")
        elif variable == "local_time":
            written[variable] = local.dt.strftime("%H:%M:%S")
        elif variable == "utc_offset_s":
            written[variable] = table.offset
        elif variable == "offset_s":
            written[variable] = table.since
        elif variable in NUMBERS:
            written[variable] = table.number
        elif variable == "stage":
            written[variable] = table.member
        elif variable in members:
            path = members[variable]
            if variable == "activity_id":
                values = pd.Series([record.get("activity_id") for record in table.record], dtype=object)
            elif "." in path:
                values = pd.Series([below(one, path) for one in table.object], dtype=object)
            else:
                values = pd.Series([one.get(path) for one in table.object], dtype=object)
            if type_ == "datetime":
                values = pd.to_datetime(pd.to_numeric(values), unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
            elif type_ == "boolean":
                values = values.map({True: "true", False: "false"})
            elif variable.endswith("_status"):
                numbers = pd.to_numeric(values)
                values = numbers.where(numbers < 0).map(STATUSES)
            elif variable + "_status" in columns.variable.values or f"{variable.rsplit('_', 1)[0]}_status" in columns.variable.values:
                values = values.where(~(pd.to_numeric(values, errors="coerce") < 0))
            written[variable] = values
        elif type_ == "datetime":
            written[variable] = start.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        else:
            written[variable] = None
    return pd.DataFrame(written, columns=list(columns.variable))


def export(opened, folder):
    codebook = pd.read_csv(opened / "codebook.csv", keep_default_na=False)
    (folder / "data").mkdir(parents=True)
    by_type = {}
    for table, spec in TABLES.items():
        by_type.setdefault(spec[0], []).append((table, *spec[1:]))
        columns = codebook[codebook.table == table]
        pd.DataFrame(columns=list(columns.variable)).to_csv(folder / "data" / f"{table}.csv", index=False)
    for summary_type, tables in by_type.items():
        path = opened / "raw" / f"{summary_type}.ndjson"
        if not path.exists():
            continue
        with path.open() as file:
            while chunk := [json.loads(line) for line in itertools.islice(file, CHUNK)]:
                for table, kind, place, *time in tables:
                    columns = codebook[codebook.table == table]
                    rows = frame(chunk, kind, place, time[0] if time else None, columns)
                    rows.to_csv(folder / "data" / f"{table}.csv", mode="a", header=False, index=False)


def main():
    opened, folder, recipient = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3]
    export(opened, folder)
    (folder / "raw").symlink_to(opened / "raw")
    with (folder / "dataset.zip.age").open("wb") as sealed:
        packed = subprocess.Popen(["zip", "-q", "-r", "-", "data", "raw"], cwd=folder, stdout=subprocess.PIPE)
        subprocess.run(["age", "-r", recipient], stdin=packed.stdout, stdout=sealed, check=True)
        if packed.wait() != 0:
            sys.exit("zip failed")


if __name__ == "__main__":
    main()
