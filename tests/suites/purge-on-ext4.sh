#!/bin/sh
# What is left of a participant on an ext4 image after a purge, free space included, and power cuts at every call of a
# purge that writes: see purge_on_ext4.rs beside this file.
# Needs root, loop devices, and the Debian packages e2fsprogs, mount and strace. Run from the top of the repository.
set -eu
exec cargo test --quiet --locked --test purge_on_ext4
