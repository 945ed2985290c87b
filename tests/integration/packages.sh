#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Real input: loads Debian's package index of this machine into namespace "apt" through redis-cli --pipe,
# asks for all of it, kills the server, starts it again, asks again, and counts with jq what an export says.
#
# SERVER=build/cairn-server   SERVER=redis-server is a control run: database 5, and no export
# SERVER_FLAGS="..."          more directives
# BUILD=build                 where the index goes if apt keeps none on this machine (it is fetched then)
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
BUILD=${BUILD:-$root/build}
SERVER=${SERVER:-$BUILD/cairn-server}
data=$(mktemp -d)
namespace=apt
kind=cairn
[[ $(basename "$SERVER") == redis-server* ]] && kind=redis && namespace=5
passed=0
failed=0
server=
trap '[ -n "$server" ] && kill -9 $server 2> /dev/null; rm -rf "$data"' EXIT

die() { echo "packages.sh: $*" >&2; exit 2; }

equal() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok packages: $1: wanted '$2', got '$3'"
    fi
}

# The largest list of component main is the archive itself; updates and security are small beside it.
largest_list() {
    apt-get "$@" indextargets --format '$(FILENAME)' 'Created-By: Packages' 'Component: main' 2> /dev/null |
        while read -r file; do [ -s "$file" ] && echo "$(stat -c %s "$file") $file"; done | sort -n | tail -1 | cut -d' ' -f2-
}

find_list() {
    list=$(largest_list)
    [ -n "$list" ] && return
    local own=$BUILD/apt options
    mkdir -p "$own/lists/partial" "$own/cache/archives/partial"
    own=$(cd "$own" && pwd)
    options=(-q -o Dir::State::lists="$own/lists" -o Dir::Cache="$own/cache" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update > "$own/log" 2>&1 || die "apt keeps no Packages list here and apt-get update failed: see $own/log"
    list=$(largest_list "${options[@]}")
    [ -n "$list" ] || die "apt-get update left no Packages list of component main; see $own/log"
}

# start_server STORE: leaves its process id in $server and its port in $port
start_server() {
    local store=$1 flags
    port=$(python3 "$here/ports.py")
    mkdir -p "$store" "$data/own"
    flags=(--port "$port" --bind 127.0.0.1 --dir "$data/own")
    if [ $kind = cairn ]; then
        flags+=(--store "$store" --journal-fsync always --sync-interval 1)
    else
        flags+=(--save "" --appendonly yes --appendfsync always)
    fi
    # shellcheck disable=SC2086
    "$SERVER" "${flags[@]}" ${SERVER_FLAGS:-} >> "$data/log" 2>&1 &
    server=$!
    for _ in $(seq 600); do
        [ "$(redis-cli -p "$port" PING 2> /dev/null)" = PONG ] && return
        kill -0 $server 2> /dev/null || break
        sleep 0.1
    done
    tail -20 "$data/log"
    die "$SERVER does not answer"
}

# Asks for everything; each line of the helper counts.
check_all() {
    local out=$data/check
    timeout 300 python3 "$here/packages.py" check "$port" "$namespace" "$list" > "$out" 2>&1 ||
        grep -q '^not ok ' "$out" || echo "not ok packages: $(tail -1 "$out")" >> "$out"
    passed=$((passed + $(grep -c '^ok ' "$out")))
    failed=$((failed + $(grep -c '^not ok ' "$out")))
    grep '^not ok ' "$out" | sed "s/^/$1: /"
}

load() {
    local began=$SECONDS said
    said=$({ printf '*2\r\n$6\r\nSELECT\r\n$%d\r\n%s\r\n' ${#namespace} "$namespace"
             cat "$data/commands"; } | timeout 600 redis-cli -p "$port" --pipe 2>&1 | tail -1)
    equal 'redis-cli --pipe' "errors: 0, replies: $((entries * 5 + 1))" "$said"
    echo "loaded in $((SECONDS - began)) s"
}

# What jq says about the exported document.
check_export() {
    local document=$data/export.json
    "$SERVER" --export "$data/store" $namespace > "$document" 2>> "$data/log"
    equal 'status of --export' 0 $?
    ask() { jq -r "$1" "$document" 2>&1 | head -c 200; }
    equal 'jq: namespace' apt "$(ask .namespace)"
    equal 'jq: packages' "$packages" "$(ask '[.state | keys[] | select(startswith("pkg:"))] | length')"
    equal 'jq: etags' "$etags" "$(ask '.state.etags.hash | length')"
    equal 'jq: sum of the counters' "$entries" "$(ask '[.state.stats.hash[] | tonumber] | add')"
    equal 'jq: sections' "$sections" "$(ask '[.state | keys[] | select(startswith("section:"))] | length')"
    equal 'jq: members of all sections' "$packages" \
        "$(ask '[.state | to_entries[] | select(.key | startswith("section:")) | .value.set[]] | unique | length')"
    equal 'jq: log' "$entries" "$(ask '.state.log.list | length')"
    equal 'jq: a version' "$version" "$(ask '.state["pkg:bash"].hash.version')"
}

check_import() {
    "$SERVER" --import "$data/copy" apt < "$data/export.json" >> "$data/log" 2>&1
    equal 'status of --import' 0 $?
    rm -rf "$data/own"
    start_server "$data/copy"
    check_all 'after --import'
    kill $server && wait $server
    server=
}

[ -x "$(command -v "$SERVER")" ] || die "there is no server $SERVER; run make, or name one in SERVER"
command -v jq > /dev/null || die "jq is missing"
find_list
echo "list: $list"
eval "$(python3 "$here/packages.py" summary "$list")" # packages, etags, sections, entries
[ "${packages:-0}" -gt 1000 ] || die "$list holds only ${packages:-no} packages"
python3 "$here/packages.py" commands "$list" > "$data/commands" || die "$list cannot be read"
start_server "$data/store"
load
check_all 'after loading'
version=$(redis-cli -p "$port" --raw <<< "SELECT $namespace"$'\nHGET pkg:bash version' | tail -1)
{ kill -9 $server; wait $server; } 2> /dev/null
began=$SECONDS
start_server "$data/store"
echo "started again after kill -9 in $((SECONDS - began)) s"
check_all 'after kill -9'
kill $server; wait $server
equal 'status after SIGTERM' 0 $?
server=
if [ $kind = cairn ]; then
    check_export
    check_import
else
    start_server "$data/store"
    check_all 'after SIGTERM'
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
