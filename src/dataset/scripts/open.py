"""Loads the tables of this dataset with their types and labels; needs pandas (and pyarrow for Parquet).

    import runpy
    tables = runpy.run_path("open/open.py")["tables"]
    tables["participants"].dtypes
    tables["participants"].attrs["labels"]["state"]

Text becomes `string`, or a category where the values are few and fixed; whole numbers become `Int64`, exactly; dates
become `datetime64`, times in UTC `datetime64` with UTC, times of day `timedelta64`. Empty cells are missing.
"""

import json
import pathlib

import pandas as pd

FOLDER = pathlib.Path(__file__).resolve().parent.parent


def read_part(path):
    """A file of a table; of CSV and NDJSON every cell as text, so that no number passes through a float."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".ndjson":
        with open(path, encoding="utf-8") as lines:
            rows = [json.loads(line, parse_int=str, parse_float=str) for line in lines]
        texts = [{name: text_of(value) for name, value in row.items()} for row in rows]
        return pd.DataFrame(texts, dtype="string")
    part = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""], encoding="utf-8")
    # A sign that a spreadsheet would take for a formula stands behind an apostrophe.
    return part.apply(lambda column: column.str.replace(r"^'(?=[-=+@\t\r\n])", "", regex=True))


def text_of(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return pd.NA if value is None or value == "" else value


def typed(column, kind, values):
    is_text = isinstance(column.dtype, pd.StringDtype) or column.dtype == object
    if values:
        text = column.astype("string")
        others = sorted(set(text.dropna()) - set(values))
        return text.astype(pd.CategoricalDtype(list(values) + others))
    if kind == "integer":
        if not is_text:
            return column.astype("Int64")
        missing = column.isna()
        try:
            numbers = column.fillna("0").astype(object).map(int).to_numpy("int64")
        except (OverflowError, ValueError):
            return column
        return pd.Series(pd.arrays.IntegerArray(numbers, missing.to_numpy(bool)), index=column.index)
    if kind == "number":
        return pd.to_numeric(column).astype("Float64")
    if kind == "boolean":
        return column.map({"true": True, "false": False}).astype("boolean") if is_text else column.astype("boolean")
    if kind == "date":
        return pd.to_datetime(column, format="%Y-%m-%d" if is_text else None)
    if kind == "datetime":
        return pd.to_datetime(column, format="%Y-%m-%dT%H:%M:%SZ" if is_text else None, utc=True)
    if kind == "time":
        return pd.to_timedelta(column.astype("string"))
    return column.astype("string")


def load(name, label, files, columns):
    """A table; `columns` has name, type, unit, label and fixed values of each."""
    parts = [read_part(FOLDER / path) for path in files]
    data = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    data = data.reindex(columns=[column[0] for column in columns])
    table = pd.DataFrame({column[0]: typed(data[column[0]], column[1], column[4]) for column in columns})
    table.attrs["label"] = label
    table.attrs["labels"] = {column[0]: column[3] for column in columns}
    table.attrs["units"] = {column[0]: column[2] for column in columns if column[2]}
    return table


def open_dataset():
    """The tables by name."""
    tables = {}
@TABLES@
    return tables


tables = open_dataset()
