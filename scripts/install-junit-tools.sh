#!/bin/sh
# Installs what reads JUnit files in the tests besides haetae: xmllint, which validates them against the schema
# of Jenkins' xUnit plugin, and the parser junitparser for /usr/bin/python3. Does only what is missing.
# Debian and its kin; elsewhere install them by hand.
set -eu

wanted=""
want() { wanted="$wanted $1"; }

command -v xmllint >/dev/null 2>&1 || want libxml2-utils
/usr/bin/python3 -c 'import junitparser' >/dev/null 2>&1 || want python3-junitparser

[ -n "$wanted" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "please install by hand:$wanted (this script knows apt-get only)" >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "please run as root: apt-get install$wanted" >&2; exit 1; }
    as_root="sudo"
fi
echo "installing:$wanted" >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $wanted >/dev/null
