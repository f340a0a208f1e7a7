#!/usr/bin/env bash
# The page in web/: `page.sh build` makes web/dist, `page.sh test` checks types, runs the unit tests and, where there is
# a Chromium, walks through the page with it. Packages are those of web/package-lock.json, from the npm registry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# The Node that `make setup` put there when the machine had none that is new enough.
[ ! -x .tools/bin/node ] || export PATH="$PWD/.tools/bin:$PATH"
command -v npm >/dev/null || { echo "page: there is no npm; run make setup" >&2; exit 1; }
cd web
# A build says what it did, not that npm has a new version.
export npm_config_update_notifier=false
# npm notes what it installed; newer than the lock means that nothing has changed.
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --no-audit --no-fund --loglevel=error
    touch node_modules/.package-lock.json
fi
case "${1:-build}" in
    build) npm run --silent build ;;
    test) npm test --silent ;;
    *) echo "page: found \`$1\`, expected build or test" >&2; exit 2 ;;
esac
