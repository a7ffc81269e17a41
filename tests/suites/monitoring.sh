#!/bin/sh
# A real Prometheus watches a gateway and a demo through a scripted outage: each alert of it fires and clears. Before
# that promtool reads what is shipped: rules and their tests, the dashboard's queries, the metrics of a running gateway.
# Needs the Debian packages prometheus and python3. Run from the top of the repository.
set -eu
for program in prometheus promtool python3; do
    if ! command -v "$program" >/dev/null; then
        echo "monitoring: $program is missing; install the Debian packages prometheus and python3" >&2
        exit 1
    fi
done
shipped=packaging/monitoring
promtool check rules "$shipped/alerts.yml"
promtool test rules "$shipped/alerts_test.yml"
cargo build --quiet --locked --bins --tests
python3 tests/suites/monitoring.py "${CARGO_TARGET_DIR:-target}/debug/studygate" "$shipped"
echo "monitoring: ok"
