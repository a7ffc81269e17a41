#!/bin/sh
# What README.md and packaging/docs tell a reader to do, done: with age, curl, R and pandas; and what is for root, on a
# machine of its own mounts, network and processes, with stand-ins for apt, systemctl, journalctl and systemd-creds.
# Needs root, the Debian packages age, curl, openssl, unzip, r-base-core and python3-venv, and a Python package index.
# Run from the top of the repository.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for program in age curl openssl unzip Rscript python3 unshare setpriv useradd; do
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

cargo build --quiet --locked --bins --tests
mkdir "$dir/scripts"
names=$(cargo test --quiet --locked --test first_hour -- scripts "$dir/scripts")
# shellcheck disable=SC2086
unshare --mount --net --pid --fork --kill-child --mount-proc bash tests/documented/machine.sh \
    "$dir/scripts" "$PWD" "${CARGO_TARGET_DIR:-target}/debug/studygate" $names
echo "first-hour: ok"
