#!/usr/bin/env bash
# Measures live flagging: plays the shipped film into a service of its own with 1, 2, 4 and 8 cameras, first at a pace
# that the machine can keep, then twenty times as fast, and prints from arrival to flag on the event stream.
# usage: scripts/live.sh PROGRAM [CAMERAS …]        PACE_S: seconds a moment and camera of the first pace (default 2)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program="$(realpath "$1")"
shift
counts=("$@")
[ "${#counts[@]}" -gt 0 ] || counts=(1 2 4 8)
pace="${PACE_S:-2}"
folder="$(mktemp -d)"
port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
url="http://127.0.0.1:$port"
"$program" serve --listen "127.0.0.1:$port" --data "$folder/data" --log warn &
service=$!
trap 'kill "$service" 2>/dev/null || true; wait "$service" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do curl -fsS "$url/readyz" >/dev/null 2>&1 && break; sleep 0.1; done
mkdir "$folder/drop"
cp fixtures/example/simulation.{json,vtkhdf} "$folder/drop"
"$program" watch "$folder/drop" --once --still-s 1 --url "$url" >/dev/null

# Film time between two moments of the example, s.
step=0.001
play() { # CAMERAS SECONDS-A-MOMENT
    local told review
    told="$("$program" replay fixtures/example/test.h5 --url "$url" --cameras "$1" --patience-s 120 \
        --name "$1 cameras, $2 s" --speed "$(awk -v step="$step" -v s="$2" 'BEGIN { print step / s }')")"
    review="$(sed -n 's/.* review //p' <<<"$told" | head -n 1)"
    # The next one must not share the machine with what is left of this one.
    until curl -fsS "$url/api/v1/reviews/$review" | grep -q '"state":"finished"'; do sleep 1; done
    printf '%s cameras, a moment every %s s:\n' "$1" "$2"
    sed -n '2,$p' <<<"$told" | sed 's/^/    /'
    curl -fsS "$url/api/v1/reviews/$review" |
        sed -E 's/.*"pictures_done":([0-9]+),"pictures_total":([0-9]+).*/    reviewed as a whole afterwards: \1 of \2 frames/'
    echo
}
for count in "${counts[@]}"; do
    play "$count" "$(awk -v n="$count" -v pace="$pace" 'BEGIN { print 0.4 + n * pace }')"
done
last="${counts[-1]}"
play "$last" "$(awk -v n="$last" -v pace="$pace" 'BEGIN { print (0.4 + n * pace) / 20 }')"
