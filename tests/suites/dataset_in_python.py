"""Compares what open/open.py and DuckDB load of a dataset with what the simulation sent."""

import json
import runpy
import sys

import duckdb

sent = json.load(open(sys.argv[1]))
tables = runpy.run_path("open/open.py")["tables"]
for name, column, rows, total in sent:
    table = tables[name]
    assert len(table) == rows, f"{name} has {len(table)} rows, {rows} were sent"
    assert int(table[column].sum()) == total, f"the sum of {name}.{column} is {table[column].sum()}, not {total}"
    if sys.argv[2] == "parquet":
        found = duckdb.sql(f"select count(*), sum({column}) from 'data/{name}.parquet'").fetchall()[0]
        assert (found[0], int(found[1])) == (rows, total), f"DuckDB finds {found} in {name}"

activities, participants = tables["activities"], tables["participants"]
assert str(activities["start_utc"].dtype).startswith("datetime64") and "UTC" in str(activities["start_utc"].dtype)
assert str(activities["local_date"].dtype).startswith("datetime64")
assert str(activities["local_time"].dtype).startswith("timedelta64")
assert str(activities["duration_s"].dtype) == "Int64" and str(activities["distance_m"].dtype) == "Float64"
assert str(participants["state"].dtype) == "category" and set(participants["state"]) == {"active"}
assert activities.attrs["labels"]["duration_s"] and activities.attrs["units"]["duration_s"] == "s"
assert (activities["start_utc"].dt.year == 2026).all()
