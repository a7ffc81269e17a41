#!/bin/sh
# What README.md and packaging/docs tell a reader to do, done: with age, curl, R and pandas.
# Needs the Debian packages age, curl, unzip, r-base-core and python3-venv, and a Python package index.
# Run from the top of the repository.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for program in age curl unzip Rscript python3; do
    if ! command -v "$program" >/dev/null; then
        echo "first-hour: $program is missing" >&2
        exit 1
    fi
done
python3 -m venv "$dir/venv"
if ! timeout 600 "$dir/venv/bin/pip" install --quiet --disable-pip-version-check --retries 5 'pandas>=2.2,<4'; then
    echo "first-hour: the Python package index did not answer; nothing was run" >&2
    exit 1
fi
cargo test --quiet --locked --test first_hour -- run "$dir/venv/bin/python"
echo "first-hour: ok"
