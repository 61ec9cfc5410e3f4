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

# shellcheck disable=SC2086
"$(dirname -- "$0")/apt-install.sh" $wanted
