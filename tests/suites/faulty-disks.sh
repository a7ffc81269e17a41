#!/bin/sh
# Power cuts on ext4 images, a full disk, failing fsyncs: see faulty_disks.rs beside this file.
# Needs root, loop devices, and the Debian packages e2fsprogs, mount and strace. Run from the top of the repository.
set -eu
exec cargo test --quiet --locked --test faulty_disks
