#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs every fuzz target for some seconds, from the corpora in the repository. New inputs are kept
# under $BUILD; a target that crashes leaves its input there and counts as failed.
#
#   tests/fuzz/fuzz.sh [SECONDS a target]
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-20}
BUILD=${BUILD:-build}
passed=0 failed=0
make -s BUILD="$BUILD" fuzz-targets || { echo "0 passed, 1 failed"; exit 1; }
for source in tests/fuzz/*_fuzz.c; do
    name=$(basename "$source" _fuzz.c)
    mkdir -p "$BUILD/fuzz/found/$name" "tests/fuzz/corpus/$name"
    if "$BUILD/fuzz/${name}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$BUILD/fuzz/$name-" \
        "$BUILD/fuzz/found/$name" "tests/fuzz/corpus/$name" >"$BUILD/fuzz/$name.log" 2>&1; then
        echo "ok $name: $(grep -E 'number_of_executed_units' "$BUILD/fuzz/$name.log")"
        passed=$((passed + 1))
    else
        tail -n 40 "$BUILD/fuzz/$name.log"
        echo "not ok $name: see $BUILD/fuzz/$name.log"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
