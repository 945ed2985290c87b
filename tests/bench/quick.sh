#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Each program of bench.sh once, as short as it gets: does it still run to its end? Its figures mean nothing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export QUICK=1 ROUNDS=1 KEYS=20000 PIPELINES=16 ONLY=GET,SET
passed=0 failed=0
run() { # name, variables
    local name=$1 log status
    log=$(mktemp)
    timeout 300 env "${@:2}" "$here/bench.sh" ${name/speed/} >"$log" 2>&1
    status=$?
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "bench.sh $name ends with $status:"
        tail -n 40 "$log"
    fi
    rm -f "$log"
}

run speed SECONDS_PER_CELL=0.1
run stalls PHASE_SECONDS=1
run cost SIZES=1000 CHANGES=10 SECONDS_PER_CELL=1 LONG=1000:10 LONG_SYNCS=20
run start
run codec
echo "$passed passed, $failed failed"
