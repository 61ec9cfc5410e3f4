#!/bin/sh
# Has a running haetae run checks, or accompany a deployment. Needs sh, sed, tr and curl, and no haetae here.
#
#   haetae-http.sh run REPORT SELECTOR…      runs checks, and writes their JUnit report
#   haetae-http.sh quiet SPAN NOTE           nobody is alerted for what HAETAE_MATCH takes while something is deployed
#   haetae-http.sh verify REPORT SELECTOR…   warms up after a deployment, and verifies until all is well
#
#   HAETAE_SERVER      http://haetae.example:8600
#   HAETAE_TOKEN       a token that may trigger; none is needed on loopback
#   HAETAE_FAIL_ON     warning (without it) or critical: from which level on a test case has failed
#   HAETAE_MATCH       which incidents a deployment quiets: {"group": "shop"}
#   HAETAE_VERIFY_FOR  how long checks may take to come good; 5m without it
#
# Exit codes are those of `haetae run`: 0 fine, 1 warning, 2 critical, 3 could not be measured or was not all run,
# 64 refused, 70 haetae cannot be reached, 143 ended.
set -eu

server=${HAETAE_SERVER:?say where haetae is: HAETAE_SERVER=http://haetae.example:8600}
fail_on=${HAETAE_FAIL_ON:-warning}
who="${JOB_NAME:-a script}${BUILD_DISPLAY_NAME:+ $BUILD_DISPLAY_NAME}"
build=${BUILD_TAG:-$(date +%s)-$$}
running=""

umask 077
tmp=$(mktemp -d)
over() {
    # What is not waited for any more does not go on.
    [ -z "$running" ] || curl --silent --config "$tmp/curl" --request DELETE --output "$tmp/cancelled" "$server$running" || true
    rm -rf "$tmp"
}
trap over EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# In a file, so that no list of processes shows the token.
{
    echo 'max-time = 90'
    echo 'retry = 3'
    echo 'retry-connrefused'
    [ -z "${HAETAE_TOKEN:-}" ] || printf 'header = "Authorization: Bearer %s"\n' "$HAETAE_TOKEN"
} > "$tmp/curl"

# ask METHOD PATH [CURL-OPTION…]: the answer is in $tmp/answer.
ask() {
    method=$1 path=$2
    shift 2
    status=$(curl --silent --show-error --config "$tmp/curl" --request "$method" --dump-header "$tmp/headers" \
        --output "$tmp/answer" --write-out '%{http_code}' "$@" "$server$path") || {
        echo "haetae at $server cannot be reached" >&2
        exit 70
    }
    case $status in
        2??) return 0 ;;
    esac
    echo "haetae at $server answers $status to $method $path:" >&2
    cat "$tmp/answer" >&2
    echo >&2
    case $status in
        4??) exit 64 ;;
    esac
    exit 70
}

# post PATH: sends $tmp/request; what was made is at $location.
post() {
    ask POST "$1" --header 'Content-Type: application/json' --data-binary "@$tmp/request"
    location=$(tr -d '\r' < "$tmp/headers" | sed -n 's/^[Ll]ocation: *//p' | tail -n 1)
}

# A word of the answer: field state.
field() {
    sed -n 's/.*"'"$1"'": *"\([a-z_]*\)".*/\1/p' "$tmp/answer"
}

# A text, or several, as JSON.
text() {
    printf '"%s"' "$(printf '%s' "$1" | tr '\n\t' '  ' | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"
}
list() {
    separator=""
    printf '['
    for word in "$@"; do
        printf '%s' "$separator"
        text "$word"
        separator=", "
    done
    printf ']'
}

# report RUN FILE: written whole, or not at all.
report() {
    ask GET "/api/v1/runs/$1/junit.xml?fail_on=$fail_on"
    mkdir -p "$(dirname "$2")"
    cp "$tmp/answer" "$2.part"
    mv "$2.part" "$2"
}

run() {
    report=$1
    shift
    cat > "$tmp/request" <<END
{ "select": $(list "$@"),
  "idempotency_key": $(text "$build ${STAGE_NAME:-} run $*"),
  "reason": $(text "$who"),
  "link": $(text "${BUILD_URL:-}") }
END
    post /api/v1/runs
    running=$location
    echo "haetae runs it: $server$location" >&2
    while ask GET "$location?wait=20s" && [ "$(field state)" = running ]; do :; done
    running=""
    state=$(field state) worst=$(field worst)
    report "${location##*/}" "$report"
    echo "haetae: $state, the worst is $worst" >&2
    [ "$state" = finished ] || exit 3
    case $worst in
        ok) exit 0 ;;
        warning) [ "$fail_on" = critical ] || exit 1 ;;
        critical) exit 2 ;;
        *) exit 3 ;;
    esac
}

# deployment KEY SPAN NOTE MORE
deployment() {
    if [ -z "${HAETAE_MATCH:-}" ]; then
        echo "say which incidents are quieted, for example HAETAE_MATCH='{\"group\": \"shop\"}'" >&2
        exit 64
    fi
    cat > "$tmp/request" <<END
{ "match": $HAETAE_MATCH,
  "idempotency_key": $(text "$build $1"),
  "quiet_for": $(text "$2"),
  "note": $(text "$3"),
  "link": $(text "${BUILD_URL:-}")$4 }
END
    post /api/v1/deployments
}

verify() {
    report=$1
    shift
    span=${HAETAE_VERIFY_FOR:-5m}
    checks=$(list "$@")
    deployment "verify $*" 10m "$who: verifying" ",
  \"warm_up\": $checks, \"verify\": $checks, \"verify_for\": $(text "$span")"
    echo "haetae verifies: $server$location" >&2
    while ask GET "$location?wait=20s"; do
        case $(field state) in
            warming_up | verifying) ;;
            *) break ;;
        esac
    done
    state=$(field state)
    latest=$(sed -nE 's/.*"verify": *\[[^]]*"([0-9a-f-]+)"\].*/\1/p' "$tmp/answer")
    bad=$(sed -nE 's/.*"bad": *\[(("([^"\\]|\\.)*",? *)*)\].*/\1/p' "$tmp/answer")
    [ -z "$latest" ] || report "$latest" "$report"
    echo "haetae: $state${bad:+: $bad}" >&2
    case $state in
        verified) exit 0 ;;
        failed) exit 2 ;;
        *) exit 3 ;;
    esac
}

usage() {
    sed -n '4,6s/^# *//p' "$0" >&2
    exit 64
}

command=${1:-}
[ "$#" -ge 3 ] || usage
shift
case $command in
    run) run "$@" ;;
    quiet) deployment "quiet $1" "$1" "$2" "" ;;
    verify) verify "$@" ;;
    *) usage ;;
esac
