#!/bin/sh
# What a coordinator needs on their own computer compiles for Windows and for macOS: the commands that speak to a gateway
# with --url, and `dataset`. Needs rustup and the Debian package gcc-mingw-w64-x86-64. Run from the top of the repository.
# For macOS no C compiler can be had here: its C parts are left out, and the Rust code alone is checked.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
attempt=1
until timeout 300 rustup target add x86_64-pc-windows-gnu aarch64-apple-darwin; do
    if [ "$attempt" -ge 3 ]; then
        echo "client-targets: the targets could not be installed in 3 attempts; check the network" >&2
        exit 1
    fi
    sleep $((attempt * 5))
    attempt=$((attempt + 1))
done

# checked TARGET: compiles, and without a warning.
checked() {
    if ! cargo check --quiet --locked --target "$1" 2>"$dir/told" || [ -s "$dir/told" ]; then
        cat "$dir/told" >&2
        echo "client-targets: $1 does not compile without a warning" >&2
        exit 1
    fi
}

checked x86_64-pc-windows-gnu

# Makes an empty file of whatever is asked for: `cargo check` links nothing.
cat >"$dir/cc" <<'X'
#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
    -o) : >"$2" && exit 0 ;;
    esac
    shift
done
X
chmod +x "$dir/cc"
export SDKROOT=/ CC_aarch64_apple_darwin="$dir/cc" CXX_aarch64_apple_darwin="$dir/cc" AR_aarch64_apple_darwin=true
checked aarch64-apple-darwin
echo "client-targets: ok"
