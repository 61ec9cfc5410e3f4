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
[ -x /usr/lib/chromium/chromium-headless-shell ] || want chromium-headless-shell

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
available=""
for package in $wanted; do
    if apt-cache show "$package" >/dev/null 2>&1; then
        available="$available $package"
    elif [ "$package" != chromium-headless-shell ]; then
        echo "the package $package is not known to apt-get" >&2
        exit 1
    fi
done
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $available >/dev/null
