#!/bin/sh
# Installs what benches/browser/ compares with, into benches/browser/node_modules: playwright-core and
# selenium-webdriver. They use the browser and the driver that install-deps.sh installs.
set -eu
command -v npm >/dev/null 2>&1 || { echo "please install Node.js 20 or later with npm" >&2; exit 1; }
cd "$(dirname -- "$0")/../benches/browser"

# npm leaves a copy of the lock behind when it is done; ours is older as long as nothing changed.
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ] || [ package.json -nt "$installed" ]; then
    echo "installing: playwright-core selenium-webdriver" >&2
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
fi
