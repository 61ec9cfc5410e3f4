#!/bin/sh
# Installs what reads JUnit files in the tests besides haetae: xmllint, which validates them against the schema
# of Jenkins' xUnit plugin, and the parser junitparser for /usr/bin/python3. Does only what is missing.
# Debian and its kin; elsewhere install them by hand.
set -eu

wanted=""
want() { wanted="$wanted $1"; }

command -v xmllint >/dev/null 2>&1 || want libxml2-utils
/usr/bin/python3 -c 'import junitparser' >/dev/null 2>&1 || want python3-junitparser

# shellcheck disable=SC2086
"$(dirname -- "$0")/apt-install.sh" $wanted
