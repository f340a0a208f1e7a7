#!/usr/bin/env bash
# Holds a running service against its own OpenAPI description with schemathesis (installed into .tools/schemathesis).
# usage: scripts/check_api.sh PROGRAM [EXAMPLES]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program="$1" examples="${2:-15}"
venv=.tools/schemathesis
if [ ! -x "$venv/bin/schemathesis" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check 'schemathesis>=4'
fi
data="$(mktemp -d)"
port="${PORT:-8199}" service=
stop() {
    if [ -n "$service" ]; then kill "$service" 2>/dev/null || true; wait "$service" 2>/dev/null || true; fi
}
trap 'stop; rm -rf "$data"' EXIT
start() { # FOLDER [OPTIONS]
    "$program" serve --listen "127.0.0.1:$port" --data "$data/$1" --log warn "${@:2}" &
    service=$!
    for _ in $(seq 100); do curl -fsS "http://127.0.0.1:$port/readyz" >/dev/null 2>&1 && break; sleep 0.1; done
}
# The event stream never ends and parts of uploads have a media type of their own: both are left to the tests. No server
# may fail, and what it answers must be described.
hold() { # CONFIGURATION [OPTIONS]
    "$venv/bin/schemathesis" --config-file "$1" run "http://127.0.0.1:$port/api/v1/openapi.json" \
        --url "http://127.0.0.1:$port" --exclude-path /api/v1/events --exclude-method PATCH --max-examples "$examples" \
        --phases examples,coverage,fuzzing --request-timeout 60 \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance "${@:2}"
}
echo "== with nothing in it"
start empty
: >"$data/empty.toml"
hold "$data/empty.toml"
stop
echo "== with the demo in it, a review and a suggestion"
start demo --demo fixtures/example
python3 scripts/api_examples.py "http://127.0.0.1:$port" >"$data/demo.toml"
# What is there stays there.
hold "$data/demo.toml" --exclude-method DELETE
