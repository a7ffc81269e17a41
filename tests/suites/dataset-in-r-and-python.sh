#!/bin/sh
# Opens the simulated study's dataset, in each format, with Debian's age and unzip, R, pandas, DuckDB and frictionless,
# and compares what they load with what the simulation sent.
# Needs the Debian packages age, unzip, r-base-core and python3-venv, and a Python package index. Run from the top of
# the repository.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cargo test --quiet --locked --test make_golden_datasets -- "$dir" >/dev/null

python3 -m venv "$dir/venv"
if ! timeout 600 "$dir/venv/bin/pip" install --quiet --disable-pip-version-check --retries 5 \
    'pandas>=2.2,<4' 'pyarrow>=17' 'duckdb>=1.1' 'frictionless>=5.18,<6'; then
    echo "dataset-in-r-and-python: the Python package index did not answer; nothing was checked" >&2
    exit 1
fi
python=$dir/venv/bin/python

for format in csv ndjson parquet; do
    age -d -i fixtures/dataset/made-up-key.txt -o "$dir/$format.zip" "$dir/$format.zip.age"
    mkdir "$dir/$format"
    unzip -qq "$dir/$format.zip" -d "$dir/$format"
    (cd "$dir/$format" && sha256sum --quiet --strict -c SHA256SUMS)
    (cd "$dir/$format" && "$python" "$OLDPWD/tests/suites/dataset_in_python.py" "$dir/sent.json" "$format")
done
for format in csv ndjson; do
    (cd "$dir/$format" && Rscript --vanilla "$OLDPWD/tests/suites/dataset_in_r.R" "$dir/sent.tsv")
done
(cd "$dir/csv" && "$dir/venv/bin/frictionless" validate datapackage.json >"$dir/validated" 2>&1) || {
    cat "$dir/validated" >&2
    exit 1
}
echo "dataset-in-r-and-python: ok"
