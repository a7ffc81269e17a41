#!/usr/bin/env bash
# Holds systemd's unit against systemd: that it reads every line, how exposed the service is, and that the whole job runs
# within the system calls that the unit allows.
#
# Needs Debian's systemd, strace and python3-seccomp; no running systemd. From the top of the repository:
# tests/suites/unit.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly unit=systemd/studygate.service

for program in systemd-analyze strace python3; do
    command -v "$program" >/dev/null || {
        echo "$program is missing; install the Debian packages systemd, strace and python3" >&2
        exit 1
    }
done
/usr/bin/python3 -c 'import seccomp' 2>/dev/null || {
    echo "the Python module seccomp is missing; install the Debian package python3-seccomp" >&2
    exit 1
}

cargo build --locked --quiet --bins --tests
program=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug/studygate
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo "--- every line of the unit is read"
mkdir -p "$scratch/units"
# The program and its manual pages are not installed here.
sed -e "s#/usr/bin/studygate#$program#" -e '/^Documentation=/d' "$unit" >"$scratch/units/studygate.service"
systemd-analyze verify --man=no "$scratch/units/studygate.service" >"$scratch/verified" 2>&1 || {
    cat "$scratch/verified" >&2
    exit 1
}
# Other units of this machine may have faults of their own.
if grep -F studygate "$scratch/verified" >&2; then
    exit 1
fi

echo "--- the service is exposed by 1.5 of 10 at most"
systemd-analyze security --offline=yes --threshold=15 --no-pager "$unit" | tail -n 1

echo "--- the whole job calls nothing that the unit does not allow"
/usr/bin/python3 tests/suites/unit_syscalls.py list "$unit" >"$scratch/allowed"
for wanted in read write openat fsync fdatasync sendto connect listen; do
    grep -qx "$wanted" "$scratch/allowed" || {
        echo "$wanted is not allowed, so the list is not what it is taken for" >&2
        exit 1
    }
done
for refused in mount ptrace reboot settimeofday adjtimex chown setuid; do
    if grep -qx "$refused" "$scratch/allowed"; then
        echo "$refused is allowed" >&2
        exit 1
    fi
done
strace --follow-forks --quiet=all --summary-only --summary-columns=calls,name --output="$scratch/called" \
    "$program" demo >/dev/null 2>"$scratch/demo" || {
    tail -n 5 "$scratch/demo" >&2
    exit 1
}
awk '$1 ~ /^[0-9]+$/ && $2 != "total" { print $2 }' "$scratch/called" | sort -u >"$scratch/names"
grep -qx fsync "$scratch/names"
beyond=$(comm -23 "$scratch/names" <(sort -u "$scratch/allowed"))
if [[ -n $beyond ]]; then
    echo "called, and not allowed by the unit: $beyond" >&2
    exit 1
fi
printf '%s system calls, all allowed\n' "$(wc -l <"$scratch/names")"

echo "--- the whole job is done within the filter"
/usr/bin/python3 tests/suites/unit_syscalls.py run "$unit" "$program" demo >"$scratch/datasets" 2>"$scratch/demo" || {
    tail -n 5 "$scratch/demo" >&2
    exit 1
}
grep -q '^done in' "$scratch/demo"
if /usr/bin/python3 tests/suites/unit_syscalls.py run "$unit" chown root: "$scratch/demo" 2>/dev/null; then
    echo "the filter lets through what it must not" >&2
    exit 1
fi
echo "the unit holds"
