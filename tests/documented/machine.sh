#!/bin/bash
# A machine for what the documents tell root to do: its own mounts and network, so that nothing of the real one is
# touched, and stand-ins for apt, systemctl and journalctl. Everything else is real: the files, the user, port 443.
#
# machine.sh SCRIPTS TOP PROGRAM NAME…   runs SCRIPTS/NAME, one after the other; see `tests/suites/first-hour.sh`.
set -eEuo pipefail
scripts=$1 top=$2 program=$3
shift 3

python3 - <<'X'
import fcntl, socket, struct
with socket.socket() as one:
    flags = struct.pack("16sh", b"lo", 0x1 | 0x40)
    fcntl.ioctl(one, 0x8914, flags)  # up
X
mount --make-rprivate /
machine=$scripts/machine
mkdir -p "$machine"
mount -t tmpfs tmpfs "$machine"
mkdir "$machine/bin" "$machine/etc" "$machine/files"
cp "$program" "$machine/files/studygate"
cp "$top/config/studygate.toml" "$top"/systemd/studygate.* "$machine/files/"
cp "$top/tests/documented/prelude.sh" "$top"/tests/documented/stand-ins/* "$machine/bin/"
chmod 0755 "$machine"/bin/*
cp -a /etc/. "$machine/etc/"
mount --bind "$machine/etc" /etc
for folder in /run /root /var/lib /var/backups; do
    mount -t tmpfs tmpfs "$folder"
done
chmod 0755 /run /var/lib /var/backups
# A site that takes part in the tests of a machine that has none of its own.
rm -rf /etc/studygate /etc/credstore.encrypted /etc/systemd/system/studygate.service.d

export MACHINE=$machine SCRATCH=$machine PRELUDE=$machine/bin/prelude.sh HOME=/root LANG=C.UTF-8
export PATH="$machine/bin:$PATH"
unset STUDYGATE_CONFIG STUDYGATE_LOG
cd /root
# What a reader has before: the package, and a certificate.
touch studygate_0.1.0_amd64.deb
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=gate.example.org \
    -addext subjectAltName=DNS:gate.example.org -keyout privkey.pem -out fullchain.pem 2>/dev/null
echo "127.0.0.1 gate.example.org" >>/etc/hosts

for name in "$@"; do
    if ! bash "$scripts/$name" >"$scripts/told" 2>&1; then
        tail -n 80 "$scripts/told"
        echo "--- the gateway's log:"
        tail -n 20 "$machine/log" 2>/dev/null || true
        systemctl stop studygate || true
        exit 1
    fi
    echo "  $name"
done
systemctl stop studygate
