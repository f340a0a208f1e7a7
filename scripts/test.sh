#!/usr/bin/env bash
# All tests under the release profile: with cargo-nextest where it is installed, else with cargo test; then doc tests;
# then the page's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# The checkers' own Python comes first: tests start `python3`.
export PATH="$PWD/.tools/checks/bin:$HOME/.cargo/bin:$PATH"
if command -v cargo-nextest >/dev/null; then
    # A test that skips says so on stderr, which nextest shows of passing tests only when asked; the frame around it
    # is left out.
    cargo nextest run --release --no-fail-fast --success-output immediate "$@" 2>&1 |
        grep -vE '^ +(stdout|stderr) ─+|^ +running 1 test$|^ +test .* \.\.\. ok$|^ +test result: ok|^ *$'
    cargo test --release --doc "$@"
else
    cargo test --release --no-fail-fast "$@" -- --show-output
fi
bash scripts/page.sh test
