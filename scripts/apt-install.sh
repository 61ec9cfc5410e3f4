#!/bin/sh
# Installs packages of Debian and its kin, without a question: scripts/apt-install.sh PACKAGE…
# A package whose name ends in `?` is left out where the release does not have it.
set -eu
[ "$#" -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "please install by hand: $* (this script knows apt-get only)" >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "please run as root: apt-get install $*" >&2; exit 1; }
    as_root="sudo"
fi
echo "installing: $*" >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
available=""
for package in "$@"; do
    name=${package%\?}
    if apt-cache show "$name" >/dev/null 2>&1; then
        available="$available $name"
    elif [ "$name" = "$package" ]; then
        echo "the package $name is not known to apt-get" >&2
        exit 1
    fi
done
# Servers are not started at install: whoever needs one starts it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    # shellcheck disable=SC2064
    trap "$as_root rm -f $policy" EXIT
fi
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $available >/dev/null
