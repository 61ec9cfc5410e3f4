#!/bin/sh
# Installs the servers that checks are tried on, from the system's packages. They are not started here: each
# test starts its own, on free ports and in a temporary folder. Does only what is missing.
# Debian and its kin; elsewhere install them by hand.
set -eu

wanted=""
want() { wanted="$wanted $1"; }

have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

have nginx || want nginx-light
[ -n "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || want postgresql
have mariadbd || want mariadb-server
have redis-server || want redis-server
have prometheus || want prometheus
have knotd || want knot
have dovecot || want dovecot-imapd
[ -e /usr/lib/dovecot/pop3-login ] || want dovecot-pop3d
have exim4 || want exim4-daemon-light
have vsftpd || want vsftpd
/usr/bin/python3 -c 'import websockets' 2>/dev/null || want python3-websockets
/usr/bin/python3 -c 'import grpc' 2>/dev/null || want python3-grpcio
have openssl || want openssl
have slapd || want slapd
have curl || want curl
[ -x /usr/lib/nagios/plugins/check_load ] || want monitoring-plugins-basic
{ have vmstat && have pgrep; } || want procps

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
# Nothing is started at install: the tests start what they need.
printf '#!/bin/sh\nexit 101\n' > /tmp/haetae-policy-rc.d
if [ ! -e /usr/sbin/policy-rc.d ]; then
    $as_root install -m 755 /tmp/haetae-policy-rc.d /usr/sbin/policy-rc.d
    # shellcheck disable=SC2064
    trap "$as_root rm -f /usr/sbin/policy-rc.d" EXIT
fi
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $wanted >/dev/null
