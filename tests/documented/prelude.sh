# Before the first command of a document: what stops it, where it runs, and what stands for what it cannot have.
set -eEuo pipefail
trap 'code=$?; { set +x; } 2>/dev/null; failed "$code" "$LINENO" "$BASH_COMMAND"' ERR
trap 'code=$?; { set +x; } 2>/dev/null; trap - ERR EXIT; kill $(jobs -p) 2>/dev/null || true; wait; exit "$code"' EXIT
export PATH="$SCRATCH/bin:$PATH" NO_COLOR=1
PS4='+ ${BASH_SOURCE[0]##*/}, line $LINENO: '

# failed CODE LINE COMMAND: names the line of the document, also where the command is one of the functions below.
failed() {
    local line=$2 at
    for ((at = 1; at < ${#BASH_SOURCE[@]} - 1; at++)); do
        line=${BASH_LINENO[at]}
    done
    echo "${0##*/}, line $line: ended with $1: $3" >&2
}

# settled COMMAND…: the command, and then what a person finds who takes longer than the gateway: everything that it was
# told is filed and purged.
settled() {
    "$@"
    local give_up=$((SECONDS + 60))
    until studygate status --json | tr -d ' \n' | grep -q '"bodies":0,.*"purges_pending":0,'; do
        if ((SECONDS > give_up)); then
            echo "something is still to be filed or purged" >&2
            return 1
        fi
        sleep 0.05
    done
}

# move_ports FILE: the configuration with this run's own ports.
move_ports() {
    sed -i -f "$SCRATCH/ports.sed" "$1"
}

# serve FILE: the gateway in the background, ready when this returns; one that runs already is stopped.
serve() {
    local give_up=$((SECONDS + 60))
    if [ -n "${gateway:-}" ]; then
        kill "$gateway"
        wait "$gateway"
    fi
    studygate serve --config "$1" 2>>"$SCRATCH/gateway.log" &
    gateway=$!
    until studygate --config "$1" status >/dev/null 2>&1; do
        if ! kill -0 "$gateway" || ((SECONDS > give_up)); then
            echo "the gateway does not run:" >&2
            cat "$SCRATCH/gateway.log" >&2
            return 1
        fi
        sleep 0.05
    done
}

# stage: a site in use: a study SLEEP, three participants, six days of theirs and a stranger's, and a first export.
stage() {
    studygate init trial 2>/dev/null >/dev/null
    move_ports trial/studygate.toml
    mkdir backups
    printf '\n[backup]\ndir = "../backups"\n' >>trial/studygate.toml
    serve trial/studygate.toml
    export STUDYGATE_CONFIG=$PWD/trial/studygate.toml
    recipient=$(studygate dataset keygen -o coordinator.key)
    studygate study add SLEEP --recipient "$recipient" >/dev/null
    studygate simulate --list-users --users 4 >users
    local number
    for number in 1 2 3; do
        sed -n "${number}p" users |
            studygate participant add --study SLEEP --code "S-0$number" --garmin-user - >/dev/null
    done
    studygate simulate --to "https://localhost:$(port_of ingress)$(grep -o '/garmin/[0-9a-f]*' trial/studygate.toml)" \
        --ca trial/tls/certificate.pem --users 4 --days 6 --ledger stage.json 2>/dev/null
    # Of pings whose callback leads nowhere that the configuration names: they wait in quarantine.
    studygate simulate --to "https://localhost:$(port_of ingress)$(grep -o '/garmin/[0-9a-f]*' trial/studygate.toml)" \
        --ca trial/tls/certificate.pem --users 2 --days 1 --types dailies --mode ping --quiet 1 \
        --callbacks 127.0.0.1:0 --callback-certificate stage.pem --ledger refused.json 2>/dev/null || true
    studygate export --study SLEEP -o first.zip.age 2>/dev/null
    studygate dataset open first.zip.age -i coordinator.key -o first >/dev/null 2>&1
}

port_of() {
    sed -n "/^\[$1\]/,/^\[/s/^listen = .*:\([0-9]*\)\".*/\1/p" trial/studygate.toml
}
