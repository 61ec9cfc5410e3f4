#!/bin/sh
# Starts the demo and a server on this folder's checks/ and alerts/; Ctrl-C ends both.
set -eu
haetae=${1:-target/debug/haetae}

"$haetae" demo &
demo=$!
trap 'kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true' EXIT
# Both answer SIGINT and SIGTERM by themselves; this shell only waits for them.
trap ':' INT TERM

sleep 1
if ! kill -0 "$demo" 2>/dev/null; then
    echo "the demo did not start; is another one running?" >&2
    exit 1
fi
echo "dashboard http://127.0.0.1:8600/"
echo "to break the partner: curl -d partner=slow http://127.0.0.1:8700/demo/control   (or dead, ok)"
"$haetae" serve &
serve=$!
while kill -0 "$serve" 2>/dev/null; do
    wait "$serve" || true
done
