#!/bin/sh
# A file's only download, the gateway killed at every call that writes: see file_pulls.rs beside this file.
# Needs the Debian package strace. Run from the top of the repository.
set -eu
exec cargo test --quiet --locked --test file_pulls
