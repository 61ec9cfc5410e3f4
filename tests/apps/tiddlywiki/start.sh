#!/bin/sh
# TiddlyWiki on 127.0.0.1:PORT, in the foreground, writable by anybody who reaches it.
# The wiki is in HAETAE_APP_DATA.
set -eu
port=${1:?usage: start.sh PORT}
: "${HAETAE_APP_DATA:?is the folder for the data}"
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$HAETAE_APP_DATA"
cd "$HAETAE_APP_DATA"

tiddlywiki=$here/../node/node_modules/tiddlywiki/tiddlywiki.js
[ -e wiki/tiddlywiki.info ] || node "$tiddlywiki" wiki --init server >/dev/null
# Unfinished drafts stay in the browser: another one would fetch them, and complain when they are gone by then.
mkdir -p wiki/tiddlers
cp "$here/SyncFilter.tid" wiki/tiddlers/
exec node "$tiddlywiki" wiki --listen host=127.0.0.1 "port=$port"
