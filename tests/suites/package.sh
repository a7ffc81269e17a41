#!/bin/sh
# Builds both Debian packages and lives through one's life in clean Debian systems.
#
# What is shown: size and static linking; the bill of materials against CycloneDX's schema and against the list in the
# program; lintian; the manual pages; `demo` of the arm64 program in an emulator; and in bookworm and trixie: installation,
# configuration, a start, an upgrade beside a changed configuration, removal, reinstallation, purging.
# And that a second build in another folder gives the same package to the byte. To save time, it takes what was built of
# other people's crates from the first: so this shows nothing of those.
#
# Needs root, rustup, cargo-auditable and the Debian packages dpkg, gcc-aarch64-linux-gnu, git, libc6-dev-arm64-cross,
# lintian, man-db, mmdebstrap, musl-tools, python3-venv, qemu-user-static; Debian's archive, PyPI and crates.io.
# Run from the top of the repository.
set -eu
bytes_max=$((16 * 1024 * 1024))
target=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d)
gateway=
root=
begun=$(date +%s)

fail() {
    echo "package: $1" >&2
    exit 1
}

# A last word on how long a part took.
took() {
    local_now=$(date +%s)
    echo "package: $1, $((local_now - begun)) s"
    begun=$local_now
}

clean() {
    [ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap clean EXIT

# Three attempts at what asks the network.
thrice() {
    attempt=1
    until timeout 300 "$@" >"$work/attempt" 2>&1; do
        [ "$attempt" -lt 3 ] || fail "the network did not answer three times: $(tail -n 3 "$work/attempt")"
        sleep $((attempt * 5))
        attempt=$((attempt + 1))
    done
}

[ "$(id -u)" = 0 ] || fail "it needs root, to make Debian systems; run it as root"
for tool in rustup cargo-auditable git lintian man mmdebstrap musl-gcc aarch64-linux-gnu-gcc qemu-aarch64-static readelf setpriv; do
    command -v "$tool" >/dev/null || fail "$tool is missing; the top of this script says what installs it"
done
thrice python3 -m venv "$work/venv"
thrice "$work/venv/bin/pip" install --quiet 'cyclonedx-python-lib[json-validation]==11.12.0'
took "CycloneDX's schema installed"

# checked ARCHITECTURE: builds the package and looks at everything that needs no other system.
checked() {
    package=$(packaging/build-deb "$1" "$target/debian")
    took "$1 built"
    dpkg-deb --raw-extract "$package" "$work/$1"
    program=$work/$1/usr/bin/studygate
    size=$(stat -c %s "$program")
    [ "$size" -le "$bytes_max" ] || fail "the $1 program has $size bytes, more than $bytes_max"
    if readelf --program-headers --dynamic "$program" | grep -Eq 'INTERP|NEEDED'; then
        fail "the $1 program is not static"
    fi
    gzip -dc "$work/$1/usr/share/doc/studygate/studygate.cdx.json.gz" | cmp - "${package%.deb}.cdx.json"
    "$work/venv/bin/python" tests/suites/package_bill.py "$program" "${package%.deb}.cdx.json"
    if grep -aqF "$(pwd -P)" "$program" || grep -aqF "${CARGO_HOME:-$HOME/.cargo}/registry" "$program"; then
        fail "the $1 program names folders of the machine that built it"
    fi
    lintian --fail-on error,warning "$package"
    took "$1 checked: $size bytes"
}

checked amd64
amd64=$package
checked arm64

LC_ALL=C.UTF-8
export LC_ALL
for page in "$work"/amd64/usr/share/man/man?/*.gz; do
    man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null | sed "s|^|${page##*/}: |" >>"$work/man"
done
[ ! -s "$work/man" ] || fail "manual pages are not well-formed: $(head -n 5 "$work/man")"
diff -r "$work/amd64/usr/share/man" "$work/arm64/usr/share/man"
took "manual pages rendered"

qemu-aarch64-static "$work/arm64/usr/bin/studygate" demo >"$work/demo" 2>&1 || fail "the arm64 demo failed: $(tail "$work/demo")"
grep -q participant "$work/demo" || fail "the arm64 demo showed no participant: $(tail "$work/demo")"
took "arm64 demo"

mkdir "$work/elsewhere"
git ls-files -z | xargs -0 cp --parents --target-directory="$work/elsewhere"
again=$(SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) CARGO_TARGET_DIR=$(realpath -m "$target") \
    "$work/elsewhere/packaging/build-deb" amd64 "$work/again")
cmp "$amd64" "$again" || fail "a build in another folder gives another package"
took "amd64 built again, the same"

# A package of a later version with another configuration.
later=$work/later
dpkg-deb --raw-extract "$amd64" "$later"
sed -i 's/^Version: .*/&.1/' "$later/DEBIAN/control"
echo "# Of the later version." >>"$later/etc/studygate/studygate.toml"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$later" "$work/later.deb" >/dev/null

# inside COMMAND…: runs it in the system at $root, with /proc.
# service COMMAND…: the same as the service's user, with the root key as systemd hands it over.
# Programs, not functions, so that the process started is the command itself in the end.
mkdir "$work/bin"
cat >"$work/bin/inside" <<'X'
#!/bin/sh
exec unshare --mount sh -c 'mount -t proc proc "$root/proc" && exec chroot "$root" "$@"' inside "$@"
X
cat >"$work/bin/service" <<'X'
#!/bin/sh
exec inside setpriv --reuid studygate --regid studygate --init-groups --inh-caps=-all \
    env CREDENTIALS_DIRECTORY=/run/credentials/studygate.service "$@"
X
chmod +x "$work"/bin/*
PATH=$work/bin:$PATH
export PATH root

apt() {
    inside env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "$@" >"$work/apt" 2>&1 ||
        fail "$release: apt-get $*: $(tail -n 20 "$work/apt")"
}

says() { grep -qF "$1" "$work/apt" || fail "$release: nothing says '$1': $(tail -n 20 "$work/apt")"; }

sealed=/etc/credstore.encrypted/studygate.root.key
key=/etc/studygate/credentials/root.key

# Sets the site up, and does what systemd, which is not running here, does for the unit.
configure() {
    inside studygate init /root/trial >/dev/null 2>&1
    inside install -d -m 0755 /etc/studygate/tls
    inside install -m 0644 /root/trial/tls/certificate.pem /etc/studygate/tls/fullchain.pem
    inside install -m 0640 -g studygate /root/trial/tls/private.key /etc/studygate/tls/privkey.pem
    recipient=$(inside studygate dataset keygen -o /root/dataset.key 2>&1 | grep -o 'age1[a-z0-9]*' | head -n 1)
    inside studygate init --system --host study.example.org --no-backup --recovery "$recipient" --yes \
        --certificate /etc/studygate/tls/fullchain.pem --private-key /etc/studygate/tls/privkey.pem >"$work/init" 2>&1 ||
        fail "$release: init --system: $(tail "$work/init")"
    ports=$(python3 -c 'import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))')
    set -- $ports
    metrics=$2 api=$3
    sed -i -e "s|^#listen = \[\"\[::\]:443\"\]|listen = [\"127.0.0.1:$1\"]|" \
        -e "s|^#listen = \"127.0.0.1:9464\"|listen = \"127.0.0.1:$2\"|" \
        -e "s|^#listen = \"\"|listen = \"127.0.0.1:$3\"|" \
        -e '/^#\[local.tls\]/,/^$/{s|^#\[|[|;s|^#certificate.*|certificate = "/etc/studygate/tls/fullchain.pem"|;s|^#private_key.*|private_key = "/etc/studygate/tls/privkey.pem"|}' \
        "$root/etc/studygate/studygate.toml"
    cp -p "$root/etc/studygate/studygate.toml" "$work/configured.toml"
    inside install -d -o studygate -g studygate -m 0750 /run/studygate
    inside install -d -o studygate -g studygate -m 0700 /var/lib/studygate
    inside install -d -o studygate -g studygate -m 0500 /run/credentials/studygate.service
    if [ -e "$root$sealed" ]; then
        inside systemd-creds decrypt --name=root.key "$sealed" - >"$work/root.key"
    else
        cp "$root$key" "$work/root.key"
    fi
    kept=$(sha256sum "$root$sealed" "$root$key" 2>/dev/null) || true
    cp "$work/root.key" "$root/run/credentials/studygate.service/root.key"
    inside chown studygate /run/credentials/studygate.service/root.key
    chmod 0400 "$root/run/credentials/studygate.service/root.key"
}

status_of() {
    python3 -c 'import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=5).status)
except urllib.error.HTTPError as answer:
    print(answer.code)
except OSError:
    print("none")' "$1"
}

start() {
    service /usr/bin/studygate serve >"$work/log" 2>&1 &
    gateway=$!
    waited=0
    until [ "$(status_of "http://127.0.0.1:$metrics/readyz")" = 200 ]; do
        kill -0 "$gateway" 2>/dev/null || fail "$release: the gateway ended: $(tail "$work/log")"
        [ "$waited" -lt 100 ] || fail "$release: the gateway is not ready after 20 s: $(tail "$work/log")"
        waited=$((waited + 1))
        sleep 0.2
    done
}

stop() {
    kill "$gateway"
    wait "$gateway" || fail "$release: the gateway did not end well: $(tail "$work/log")"
    gateway=
}

has_study() { inside studygate study list | grep -q '^ALPHA ' || fail "$release: the study is not there"; }
is_there() { [ -e "$root$1" ] || fail "$release: $1 is not there"; }
is_gone() { [ ! -e "$root$1" ] && [ ! -L "$root$1" ] || fail "$release: $1 is still there"; }

# A name is looked up whatever nsswitch.conf lists: a static glibc dies of it.
look_names_up() {
    echo "hosts: files mdns4_minimal [NOTFOUND=return] dns" >"$root/etc/nsswitch.conf"
    echo "127.0.0.1 localhost" >"$root/etc/hosts"
    inside studygate token add --name t --all --role viewer 2>/dev/null | grep -o 'sg_[^ ]*' >"$root/root/token"
    chmod 0600 "$root/root/token"
    inside studygate study list --url "https://localhost:$api" --token-file /root/token \
        --ca-file /etc/studygate/tls/fullchain.pem | grep -q '^ALPHA ' || fail "$release: localhost is not found by its name"
}

# life RELEASE PACKAGE: a package's life; PACKAGE is what makes the service's user there.
life() {
    release=$1
    root=$work/$release
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Created-By: Packages' | head -n 1)
    thrice mmdebstrap --quiet --variant=apt --include="$2" "$release" "$root" "${mirror:?Debian is not among the archives}"
    cp "$amd64" "$root/root/studygate.deb"
    cp "$work/later.deb" "$root/root/later.deb"
    took "$release made"

    apt install /root/studygate.deb
    says "studygate init --system"
    [ "$(inside stat -c '%U:%G %a' /etc/studygate/studygate.toml)" = "root:studygate 640" ] ||
        fail "$release: others may read the configuration"
    [ -L "$root/etc/systemd/system/multi-user.target.wants/studygate.service" ] || fail "$release: it is not enabled"
    configure
    service studygate check-config | grep -qx ok || fail "$release: the configuration is not ok"
    start
    inside studygate study add ALPHA --recipient "$recipient" >/dev/null
    look_names_up
    stop

    apt install -o Dpkg::Options::=--force-confold /root/later.deb
    cmp "$work/configured.toml" "$root/etc/studygate/studygate.toml" || fail "$release: the upgrade changed the configuration"
    [ "$(inside stat -c '%U:%G %a' /etc/studygate/studygate.toml)" = "root:studygate 640" ] ||
        fail "$release: after the upgrade others may read the configuration"
    tail -n 1 "$root/etc/studygate/studygate.toml.dpkg-dist" | grep -q "later version" || fail "$release: no new sample"
    start
    has_study
    stop

    apt remove studygate
    is_gone /usr/bin/studygate
    is_there /var/lib/studygate/FORMAT
    is_there /etc/studygate/studygate.toml
    apt install /root/later.deb
    cmp "$work/configured.toml" "$root/etc/studygate/studygate.toml"
    start
    has_study
    stop

    apt purge studygate
    says "/var/lib/studygate is kept"
    says "/etc/studygate is kept"
    is_gone /usr/bin/studygate
    is_gone /etc/studygate/studygate.toml
    is_gone /etc/systemd/system/multi-user.target.wants/studygate.service
    is_there /var/lib/studygate/FORMAT
    [ -n "$kept" ] && [ "$(sha256sum "$root$sealed" "$root$key" 2>/dev/null)" = "$kept" ] ||
        fail "$release: purging took the root key"
    rm -rf --one-file-system "$root"
    took "$release: installed, configured, upgraded, removed, purged"
}

life bookworm systemd-standalone-sysusers
life trixie systemd
echo "package: ok"
