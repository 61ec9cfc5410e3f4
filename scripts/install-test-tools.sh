#!/bin/sh
# Installs what tests drive haetae with, into target/test-tools/venv: schemathesis, at the version below.
# Does only what is missing.
set -eu
schemathesis=4.32.5
cd "$(dirname -- "$0")/.."
venv=target/test-tools/venv

if [ "$("$venv/bin/python" -c 'import importlib.metadata as m; print(m.version("schemathesis"))' 2>/dev/null)" = "$schemathesis" ]; then
    exit 0
fi

if ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "please install Python 3 with its venv module (this script knows apt-get only)" >&2
        exit 1
    fi
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || { echo "please run as root: apt-get install python3-venv" >&2; exit 1; }
        as_root="sudo"
    fi
    echo "installing: python3-venv" >&2
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
fi
echo "installing: schemathesis $schemathesis" >&2
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$schemathesis"
