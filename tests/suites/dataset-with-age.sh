#!/bin/sh
# Opens the made-up study's dataset with other people's programs: age, unzip, sha256sum, openssl.
# Needs the Debian packages age, unzip and openssl. Run from the top of the repository.
set -eu
cargo test --quiet --locked --test dataset_write opened_dataset_is_the_golden_one >/dev/null
made=${CARGO_TARGET_DIR:-target}/tmp/dataset
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

age -d -i fixtures/dataset/made-up-key.txt -o "$dir/dataset.zip" "$made"/SLEEP_0007_2026-11-01.zip.age
unzip -qq -t "$dir/dataset.zip"
mkdir "$dir/opened"
unzip -qq "$dir/dataset.zip" -d "$dir/opened"
diff -r "$made/opened" "$dir/opened"
(cd "$dir/opened" && sha256sum --quiet --strict -c SHA256SUMS)

# The signature, with the public key of the manifest in the form openssl reads.
key=$(sed -n 's/.*"site_key": "\([0-9a-f]*\)".*/\1/p' "$dir/opened/manifest.json")
printf '302a300506032b6570032100%s' "$key" | tr a-f A-F | basenc --base16 -d >"$dir/site.der"
openssl pkeyutl -verify -pubin -keyform DER -inkey "$dir/site.der" -rawin \
    -in "$dir/opened/manifest.json" -sigfile "$dir/opened/manifest.sig" >/dev/null

# One byte altered anywhere is noticed.
printf 'x' >>"$dir/opened/data/cycle.csv"
if (cd "$dir/opened" && sha256sum --quiet -c SHA256SUMS >/dev/null 2>&1); then
    echo "dataset-with-age: an altered file passed sha256sum" >&2
    exit 1
fi
echo "dataset-with-age: ok"
