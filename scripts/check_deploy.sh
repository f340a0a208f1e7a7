#!/usr/bin/env bash
# Holds what deploy/ ships against a running service: the systemd unit is verified, and nginx with deploy/nginx.conf
# (address, certificate and login replaced) lets people with a login through and nobody else.
# usage: scripts/check_deploy.sh PROGRAM    (needs nginx, openssl and curl; says what it leaves out)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program="$(realpath "$1")"
folder="$(mktemp -d)"
children=()
trap 'for c in "${children[@]}"; do kill "$c" 2>/dev/null || true; wait "$c" 2>/dev/null || true; done; rm -rf "$folder"' EXIT
say() { printf 'deploy: %s\n' "$*"; }
fail() { printf 'deploy: %s\n' "$*" >&2; exit 1; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

if command -v systemd-analyze >/dev/null; then
    sed "s#/usr/local/bin/crumple#$program#" deploy/crumple.service >"$folder/crumple.service"
    told="$(systemd-analyze verify "$folder/crumple.service" 2>&1)" || fail "the unit is refused: $told"
    [ -z "$told" ] || fail "the unit has warnings: $told"
    say "the unit is right: $(systemd-analyze security --offline=true "$folder/crumple.service" 2>/dev/null | tail -n 1)"
else
    say "left out: the unit (there is no systemd-analyze)"
fi

command -v nginx >/dev/null || { say "left out: the proxy (there is no nginx)"; exit 0; }
port="$(free_port)" front="$(free_port)"
"$program" serve --listen "127.0.0.1:$port" --data "$folder/data" --log warn &
children+=($!)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$folder/key" -out "$folder/crt" 2>/dev/null
printf 'ada:%s\n' "$(openssl passwd -apr1 'a secret')" >"$folder/users"
mkdir "$folder/tmp"
{
    printf 'daemon off; pid %s/pid; error_log stderr; events {}\nhttp { access_log off;\n' "$folder"
    for kind in client_body proxy fastcgi uwsgi scgi; do printf '%s_temp_path %s/tmp/%s;\n' "$kind" "$folder" "$kind"; done
    sed -e "s#443 ssl#127.0.0.1:$front ssl#" -e "s#127.0.0.1:8080#127.0.0.1:$port#" -e 's#crumple.example.com#localhost#' \
        -e "s#/etc/nginx/crumple\.\(crt\|key\|users\)#$folder/\1#" deploy/nginx.conf
    printf '}\n'
} >"$folder/nginx.conf"
# A web server that runs as root gives its rights away; its helper must still read the list of people.
chmod 711 "$folder" && chmod 644 "$folder/users"
nginx -t -q -c "$folder/nginx.conf" || fail "nginx refuses deploy/nginx.conf"
nginx -c "$folder/nginx.conf" &
children+=($!)
for _ in $(seq 100); do curl -fsS "http://127.0.0.1:$port/readyz" >/dev/null 2>&1 && break; sleep 0.1; done
site="https://localhost:$front"
for _ in $(seq 100); do curl -sk -o /dev/null "$site/" && break; sleep 0.1; done
ask() { curl -sS --cacert "$folder/crt" "$@"; }
status() { ask -o /dev/null -w '%{http_code}' "$@"; }
[ "$(status "$site/api/v1/campaigns")" = 401 ] || fail "somebody without a login is let through"
[ "$(status -u 'ada:wrong' "$site/")" = 401 ] || fail "a wrong password is let through"
[ "$(status -u 'ada:a secret' "$site/api/v1/campaigns")" = 200 ] || fail "a right password is not let through"
[ "$(status "$site/healthz")" = 200 ] || fail "who watches over the service is not let through"
# An event must come through while the stream is open, and a large part must not stop at the proxy.
ask -N --max-time 5 -u 'ada:a secret' "$site/api/v1/events" >"$folder/events" 2>/dev/null &
heard=$!
sleep 1
ask -o /dev/null -u 'ada:a secret' -H 'content-type: application/json' -d '{"name": "behind"}' "$site/api/v1/campaigns"
wait "$heard" || true
grep -q '"name":"behind"' "$folder/events" || fail "events do not come through"
{ printf '\211HDF\r\n\032\n'; head -c 20000000 /dev/zero; } >"$folder/large.h5"
size="$(stat -c %s "$folder/large.h5")"
place="$(ask -u 'ada:a secret' -D - -o /dev/null -X POST "$site/api/v1/uploads" -H "upload-length: $size" \
    -H "upload-metadata: filename $(printf large.h5 | base64)" | tr -d '\r' | sed -n 's/^location: //Ip')"
[ "$(status -u 'ada:a secret' -X PATCH "$site$place" -H 'upload-offset: 0' -H 'expect:' \
    -H 'content-type: application/offset+octet-stream' --data-binary @"$folder/large.h5")" = 204 ] ||
    fail "a part of 20 MB does not come through"
socket="$(ask -u 'ada:a secret' --http1.1 --max-time 3 -o /dev/null -w '%{http_code}' -H 'connection: upgrade' \
    -H 'upgrade: websocket' -H 'sec-websocket-version: 13' -H 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==' \
    "$site/api/v1/live/none/stream")"
[ "$socket" = 404 ] || fail "a WebSocket for a live test that is not there answers $socket, expected 404"
say "the proxy is right: a login is asked for, events, large parts and sockets come through"
