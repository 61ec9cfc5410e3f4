#!/bin/sh
# Django's admin on 127.0.0.1:PORT, in the foreground. What it keeps is in HAETAE_APP_DATA;
# the account is `qa` with the password HAETAE_APP_PASSWORD.
set -eu
port=${1:?usage: start.sh PORT}
: "${HAETAE_APP_DATA:?is the folder for the data}" "${HAETAE_APP_PASSWORD:?is the password of qa}"
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$HAETAE_APP_DATA"
HAETAE_APP_DATA=$(CDPATH='' cd -- "$HAETAE_APP_DATA" && pwd)
export HAETAE_APP_DATA PYTHONDONTWRITEBYTECODE=1
cd "$here"

/usr/bin/python3 manage.py migrate --run-syncdb --verbosity 0
/usr/bin/python3 seed.py
exec /usr/bin/python3 manage.py runserver --insecure --noreload "127.0.0.1:$port"
