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
    scripts/apt-install.sh python3-venv
fi
echo "installing: schemathesis $schemathesis" >&2
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$schemathesis"
