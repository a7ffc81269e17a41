#!/bin/sh
# The local API of a running gateway against its own OpenAPI document, with generated requests: no answer that is not
# documented, and none of a gateway that failed. Needs python3 with venv, and the package index of Python once.
# Run from the top of the repository.
set -eu
version=4.32.5
dir=$(mktemp -d)
gateway=
end() {
    [ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true
    rm -rf "$dir"
}
trap end EXIT

python3 -m venv "$dir/venv"
attempt=1
until timeout 300 "$dir/venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"; do
    if [ "$attempt" -ge 3 ]; then
        echo "api-schemathesis: schemathesis $version could not be installed in 3 attempts; check the network" >&2
        exit 1
    fi
    sleep $((attempt * 5))
    attempt=$((attempt + 1))
done

cargo build --quiet --locked --bins --tests
studygate=${CARGO_TARGET_DIR:-target}/debug/studygate
"$studygate" init "$dir/site" >/dev/null 2>&1
# Ports of this run's own.
ports=$(python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for one in held:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))')
# shellcheck disable=SC2086
set -- $ports
sed -i "s/127.0.0.1:8443/127.0.0.1:$1/; s/127.0.0.1:8444/127.0.0.1:$2/; s/127.0.0.1:9464/127.0.0.1:$3/" \
    "$dir/site/studygate.toml"
api=$2
export STUDYGATE_CONFIG="$dir/site/studygate.toml"
"$studygate" serve >"$dir/log" 2>&1 &
gateway=$!
tries=0
until "$studygate" status >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -ge 300 ]; then
        cat "$dir/log" >&2
        echo "api-schemathesis: the gateway did not start" >&2
        exit 1
    fi
    sleep 0.1
done

recipient=age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa
"$studygate" study add A --recipient "$recipient" >/dev/null
for code in P1 P2; do
    "$studygate" participant add --study A --code "$code" >/dev/null
done

# 501 says that this version does not do what was asked for: an answer, and no failure.
cat >"$dir/named.toml" <<X
[checks]
not_a_server_error.expected-statuses = ["2xx", "4xx", 501]

[parameters]
"path.study" = "A"
"path.code" = "P1"
X
cat >"$dir/unnamed.toml" <<X
[checks]
not_a_server_error.expected-statuses = ["2xx", "4xx", 501]
X
checks=not_a_server_error,status_code_conformance,content_type_conformance
checks=$checks,response_headers_conformance,response_schema_conformance
# generate NAME CONFIGURATION OPTION…: with a token of its own, since requests may revoke whatever token they find.
generate() {
    token=$("$studygate" token add --name "$1" --all --role admin 2>/dev/null)
    configuration=$2
    shift 2
    if ! "$dir/venv/bin/schemathesis" --config-file "$dir/$configuration.toml" run \
        "https://127.0.0.1:$api/api/v1/openapi.json" --header "Authorization: Bearer $token" \
        --tls-verify "$dir/site/tls/certificate.pem" --checks "$checks" --phases examples,coverage,fuzzing \
        --max-examples 10 --seed 1 --workers 1 --warnings off --no-color "$@" >"$dir/out" 2>&1; then
        cat "$dir/out" >&2
        echo "api-schemathesis: the API answered what it does not document" >&2
        exit 1
    fi
    grep -E "Tested:|generated" "$dir/out"
}
generate first unnamed --exclude-path-regex '^/tokens/'
generate second named --exclude-path-regex '^/tokens/'
generate third unnamed --include-path-regex '^/tokens/'
"$studygate" status >/dev/null
echo "api-schemathesis: ok"
