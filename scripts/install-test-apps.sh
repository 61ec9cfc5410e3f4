#!/bin/sh
# Installs the applications that the browser tests walk through: Django's admin from the system's
# packages, Verdaccio and TiddlyWiki into tests/apps/node/node_modules. Does only what is missing.
# Debian and its kin; elsewhere install Django for /usr/bin/python3 and Node.js 18 or later by hand.
set -eu
apps=$(CDPATH='' cd -- "$(dirname -- "$0")/../tests/apps" && pwd)

wanted=""
want() { wanted="$wanted $1"; }

/usr/bin/python3 -c 'import django' >/dev/null 2>&1 || want python3-django
command -v node >/dev/null 2>&1 || want nodejs
command -v npm >/dev/null 2>&1 || want npm

# shellcheck disable=SC2086
"$(dirname -- "$0")/apt-install.sh" $wanted

# npm leaves a copy of the lock behind when it is done; ours is older as long as nothing changed.
cd "$apps/node"
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ] || [ package.json -nt "$installed" ]; then
    echo "installing: verdaccio tiddlywiki" >&2
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
fi
