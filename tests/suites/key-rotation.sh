#!/bin/sh
# A rotation of the keys whose every call to the disk is killed or fails: see key_rotation.rs beside this file.
# Needs the Debian package strace. Run from the top of the repository.
set -eu
exec cargo test --quiet --locked --test key_rotation
