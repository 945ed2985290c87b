#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds the bare responder and runs the side-by-side benchmark, or with "stalls" the measurement of the slowest
# requests, with "cost" that of syncs, with "start" that of loading, with "codec" that of JSON alone;
# `bench.sh [what] --help` tells what can be set.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(mkdir -p "${BUILD:-$here/../../build}" && cd "${BUILD:-$here/../../build}" && pwd)
export BUILD
mkdir -p "$BUILD/bench"
build() {
    ${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Werror -O2 -o "$BUILD/bench/$1" "$here/$1.c" "${@:2}"
}

build responder -levent
build stall -pthread
case "${1:-}" in
    stalls) exec python3 "$here/stall.py" "${@:2}" ;;
    cost) exec python3 "$here/cost.py" "${@:2}" ;;
    start) exec python3 "$here/start.py" "${@:2}" ;;
    codec)
        build codec -I"$here/../.." -pthread "$BUILD/libpersistence.a" "$BUILD/libops.a" -levent -levent_pthreads \
            -lcurl -ljansson -lcrypto -ljemalloc -lm
        exec "$BUILD/bench/codec" ;;
esac
exec python3 "$here/bench.py" "$@"
