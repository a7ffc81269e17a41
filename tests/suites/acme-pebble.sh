#!/usr/bin/env bash
# Has a certificate issued by somebody else's authority: Let's Encrypt's test server pebble, with a CA of its own, over
# TLS-ALPN-01 on the gateway's listener. Needs the Debian packages pebble, openssl and python3. Run from the top of the
# repository.
set -euo pipefail

say() { echo "acme-pebble: $*"; }
fail() { say "$*" >&2; tail -n 40 "$dir"/*.log >&2 || true; exit 1; }

for program in pebble pebble-challtestsrv openssl python3; do
    command -v "$program" >/dev/null || { say "$program is missing; install pebble, openssl and python3" >&2; exit 1; }
done
# The program as the tests build it: nothing is compiled twice.
cargo test --quiet --locked --test acme --no-run
studygate=$(realpath "${CARGO_TARGET_DIR:-target}/debug/studygate")

dir=$(mktemp -d)
started=()
end() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait || true
    rm -rf "$dir"
}
trap end EXIT

read -r ingress metrics api acme management dns challenges < <(python3 - <<'P'
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(7)]
print(*[one.getsockname()[1] for one in held])
P
)

# Pebble's own TLS, by an authority that only this run knows.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=the run's CA" \
    -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
    -keyout "$dir/pebble.key" -out "$dir/pebble.csr" 2>/dev/null
openssl x509 -req -in "$dir/pebble.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out "$dir/pebble.pem" 2>/dev/null
cat >"$dir/pebble.json" <<P
{ "pebble": { "listenAddress": "127.0.0.1:$acme", "managementListenAddress": "127.0.0.1:$management",
  "certificate": "$dir/pebble.pem", "privateKey": "$dir/pebble.key", "httpPort": 1, "tlsPort": $ingress,
  "ocspResponderURL": "", "externalAccountBindingRequired": false } }
P
pebble-challtestsrv -management "127.0.0.1:$challenges" -dns01 "127.0.0.1:$dns" -defaultIPv4 127.0.0.1 -defaultIPv6 "" \
    -http01 "" -https01 "" -tlsalpn01 "" >"$dir/names.log" 2>&1 &
started+=($!)
# One nonce in twenty is refused, as pebble likes to do.
PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=5 pebble -config "$dir/pebble.json" -dnsserver "127.0.0.1:$dns" \
    >"$dir/pebble.log" 2>&1 &
started+=($!)

"$studygate" init "$dir/site" >/dev/null 2>&1
python3 - "$dir/site/studygate.toml" "$ingress" "$metrics" "$api" "$acme" "$dir/ca.pem" <<'P'
import re, sys
file, ingress, metrics, api, acme, ca = sys.argv[1:]
text = open(file).read()
for old, new in (("8443", ingress), ("9464", metrics), ("8444", api)):
    text = text.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
ordered = f'[ingress.acme]\ndomains = ["study.example.test"]\ncontact = "it@example.com"\ndirectory = "https://localhost:{acme}/dir"\n\n'
text = re.sub(r"\[ingress\.tls\]\n.*?\n\n", lambda _: ordered, text, count=1, flags=re.S)
open(file, "w").write(text + f'\n[pull]\nca_file = "{ca}"\n')
P
gateway() { "$studygate" --config "$dir/site/studygate.toml" "$@"; }
gateway check-config >/dev/null || fail "check-config refuses the configuration"

# until WHAT SECONDS COMMAND…: runs the command until it succeeds.
until_holds() {
    local what=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || fail "$what: not within its time"
        sleep 0.2
    done
}
fetch() { # the root that pebble made up for this run
    python3 - "$dir/ca.pem" "https://localhost:$management/roots/0" <<'P'
import ssl, sys, urllib.request
print(urllib.request.urlopen(sys.argv[2], context=ssl.create_default_context(cafile=sys.argv[1]), timeout=10).read().decode())
P
}
reads_root() { fetch >"$dir/root.pem"; }
# shown NAME: whether who connects under this name is shown a certificate for it by pebble's root.
shown() {
    openssl s_client -connect "127.0.0.1:$ingress" -servername "$1" -verify_hostname "$1" -CAfile "$dir/root.pem" \
        -verify_return_error </dev/null >"$dir/shown.txt" 2>&1
}
serial() { openssl x509 -noout -serial <"$dir/shown.txt"; }
begin() {
    "$studygate" --config "$dir/site/studygate.toml" serve >>"$dir/gateway.log" 2>&1 &
    running=$!
    started+=("$running")
}
finish() {
    kill -TERM "$running"
    wait "$running" || fail "the gateway ended with $?"
}

until_holds "pebble" 20 reads_root
begin
until_holds "the first certificate" 90 shown study.example.test
first=$(serial)
gateway status --json | grep -q '"source": *"acme"' || fail "status does not say where the certificate comes from"
python3 - "$dir/root.pem" "$ingress" "$(sed -n 's/^paths = \["\([^"]*\)".*/\1/p' "$dir/site/studygate.toml")" <<'P' || fail "a push was not taken"
import socket, ssl, sys
root, port, path = sys.argv[1:]
context = ssl.create_default_context(cafile=root)
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(port))), server_hostname="study.example.test") as stream:
    body = b'{"dailies":[]}'
    stream.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    sys.exit(not stream.recv(64).startswith(b"HTTP/1.1 200"))
P
if openssl s_client -connect "127.0.0.1:$ingress" -servername study.example.test -alpn acme-tls/1 </dev/null >"$dir/alpn.txt" 2>&1; then
    fail "a proof is shown though nobody asks for one"
fi

finish
begin
until_holds "the same certificate after a restart" 20 shown study.example.test
[[ $(serial) == "$first" ]] || fail "a restart ordered another certificate"

finish
sed -i 's/"study.example.test"/"study.example.test", "gate.example.test"/' "$dir/site/studygate.toml"
begin
until_holds "a certificate for a further name" 90 shown gate.example.test
[[ $(serial) != "$first" ]] || fail "the certificate did not change"
shown study.example.test || fail "the first name is gone"
finish
if grep -rqs "PRIVATE KEY\|example.test" "$dir/site/data/acme"; then
    fail "the state lies in clear"
fi
say ok
