#!/bin/sh
# Verdaccio on 127.0.0.1:PORT, in the foreground. What it keeps is in HAETAE_APP_DATA; the account is
# `qa` with the password HAETAE_APP_PASSWORD.
set -eu
port=${1:?usage: start.sh PORT}
: "${HAETAE_APP_DATA:?is the folder for the data}" "${HAETAE_APP_PASSWORD:?is the password of qa}"
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$HAETAE_APP_DATA"
cd "$HAETAE_APP_DATA"

cp "$here/config.yaml" config.yaml
[ -e storage/.verdaccio-db.json ] || node "$here/seed.mjs" "$PWD"
exec node "$here/../node/node_modules/verdaccio/bin/verdaccio" --config "$PWD/config.yaml" --listen "127.0.0.1:$port"
