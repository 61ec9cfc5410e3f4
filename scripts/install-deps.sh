#!/bin/sh
# Installs what the build and the browser checks need, by package name, only if absent.
# Debian and its kin; elsewhere install Chromium and ChromeDriver by hand.
set -eu

wanted=""
want() { wanted="$wanted $1"; }

command -v cc >/dev/null 2>&1 || want build-essential
[ -e /etc/ssl/certs/ca-certificates.crt ] || want ca-certificates
command -v chromedriver >/dev/null 2>&1 || want chromium-driver
command -v chromium >/dev/null 2>&1 || want chromium
# Costs a third of the whole browser; not every release has it.
[ -x /usr/lib/chromium/chromium-headless-shell ] || want 'chromium-headless-shell?'

# shellcheck disable=SC2086
"$(dirname -- "$0")/apt-install.sh" $wanted
