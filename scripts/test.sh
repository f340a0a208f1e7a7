#!/usr/bin/env bash
# All tests under the release profile: with cargo-nextest where it is installed, else with cargo test; then doc tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$HOME/.cargo/bin:$PATH"
if command -v cargo-nextest >/dev/null; then
    cargo nextest run --release --no-fail-fast "$@"
    cargo test --release --doc "$@"
else
    cargo test --release --no-fail-fast "$@"
fi
