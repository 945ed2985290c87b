#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Starts a server and lets every client of redis-tests/clients do its round against it.
#
#   redis-tests/clients.sh [hiredis|python|node-redis|ioredis|redis-cli ...]     all, or only those named
#
# SERVER=build/cairn-server   the server under test; SERVER=redis-server is a control run, which leaves
#                             out what only cairn has
# SERVER_FLAGS="..."          more directives for it
# BUILD=build                 programs and packages are built and installed below $BUILD/redis-clients
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
BUILD=$(mkdir -p "${BUILD:-$root/build}" && cd "${BUILD:-$root/build}" && pwd) || exit 1
SERVER=${SERVER:-$BUILD/cairn-server}
work=$BUILD/redis-clients
kind=cairn
[[ $(basename "$SERVER") == redis-server* ]] && kind=redis

die() { echo "clients.sh: $*" >&2; exit 2; }

start_server() {
    local flags=(--port "$port" --bind 127.0.0.1 --dir "$data/own" --enable-debug-command yes)
    mkdir -p "$data/own" "$data/store"
    if [ $kind = cairn ]; then flags+=(--store "$data/store" --sync-interval 1); else flags+=(--save ""); fi
    # shellcheck disable=SC2086
    "$SERVER" "${flags[@]}" ${SERVER_FLAGS:-} > "$work/server.log" 2>&1 &
    server=$!
    for _ in $(seq 100); do
        [ "$(redis-cli -p "$port" PING 2> /dev/null)" = PONG ] && return
        kill -0 $server 2> /dev/null || break
        sleep 0.1
    done
    die "$SERVER does not answer; see $work/server.log"
}

# The Node packages, in the exact versions of the lock file; installed anew only when that changes.
install_node_packages() {
    local want
    want=$(sha256sum < "$here/clients/package-lock.json")
    [ "$(cat "$work/node/.installed" 2> /dev/null)" = "$want" ] && return
    mkdir -p "$work/node" && cp "$here/clients/package.json" "$here/clients/package-lock.json" "$work/node" &&
        (cd "$work/node" && npm ci --ignore-scripts --no-audit --no-fund) > "$work/npm.log" 2>&1 ||
        die "npm ci failed; see $work/npm.log"
    echo "$want" > "$work/node/.installed"
}

# Runs one client's program; one that ends badly without saying why is a failure of its own.
run_client() {
    local name=$1 status
    shift
    timeout 1800 "$@" > "$work/$name.log" 2>&1
    status=$?
    cat "$work/$name.log" >> "$work/all.log"
    grep -v '^ok ' "$work/$name.log"
    if [ $status != 0 ] && ! grep -q '^not ok ' "$work/$name.log"; then
        echo "not ok $name: ended with $status" | tee -a "$work/all.log"
    fi
    echo "$name: $(grep -c '^ok ' "$work/$name.log") answers right"
}

run() {
    case $1 in
        hiredis)
            ${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -g -o "$work/hiredis_client" \
                "$here/clients/hiredis_client.c" -lhiredis || die "hiredis_client.c does not compile"
            run_client hiredis "$work/hiredis_client" "$port" $kind ;;
        python) run_client python /usr/bin/python3 "$here/clients/python_client.py" "$port" $kind ;;
        node-redis | ioredis)
            install_node_packages
            NODE_PATH=$work/node/node_modules run_client "$1" node "$here/clients/${1/-/_}_client.js" "$port" $kind ;;
        redis-cli) run_client redis-cli "$here/clients/redis_cli.sh" "$port" $kind ;;
        *) die "no client is called $1" ;;
    esac
}

[ -x "$(command -v "$SERVER")" ] || die "there is no server $SERVER; run make, or name one in SERVER"
mkdir -p "$work" && : > "$work/all.log"
data=$(mktemp -d)
port=$(python3 "$root/tests/integration/ports.py")
server=
trap '[ -n "$server" ] && kill -9 $server 2> /dev/null; rm -rf "$data"' EXIT
start_server
[ $# -gt 0 ] || set -- hiredis python node-redis ioredis redis-cli
for client in "$@"; do run "$client"; done
if ! kill -0 $server 2> /dev/null; then
    echo "not ok server: it did not live to the end; see $work/server.log" | tee -a "$work/all.log"
fi
kill $server 2> /dev/null && wait $server
server=
failed=$(grep -c '^not ok ' "$work/all.log")
echo "$(grep -c '^ok ' "$work/all.log") passed, $failed failed"
[ "$failed" = 0 ]
