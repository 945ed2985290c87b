#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs test steps one after the other and adds up what they count. A step is a shell function
# below; it must print `N passed, N failed` as its last such line. A step that ends with an error,
# or that ran no test, counts as failed: nothing is skipped in silence.
#
#   tests/run.sh STEP [STEP …]        logs: $BUILD/test-logs/STEP.log
#   tests/run.sh STEP+STEP [STEP …]   those joined by + at the same time: for steps that mostly wait
#
# With S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and S3_BUCKET in the environment the
# steps `unit` and `s3` use that server in place of Ceph's (S3_TEST_PREFIX: docs/s3.md).
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
logs=$BUILD/test-logs
mkdir -p "$logs"
export BUILD

# One unit test binary, in TAP; one that ends badly counts as one more failure.
unit_binary() {
    local binary=$1 out status ok bad
    out=$(CMOCKA_MESSAGE_OUTPUT=TAP timeout 600 "$binary" 2>&1 </dev/null)
    status=$?
    ok=$(grep -c '^ok ' <<<"$out")
    bad=$(grep -c '^not ok ' <<<"$out")
    if [ $status -ne 0 ] && [ "$bad" -eq 0 ] || [ "$ok" -eq 0 ]; then
        bad=$((bad + 1))
    fi
    [ "$bad" -eq 0 ] || printf '%s\n%s: exit status %s\n' "$out" "$binary" $status
    printf '%-55s %4d passed %3d failed\n' "${binary#"$BUILD"/tests/}" "$ok" "$bad"
}
export -f unit_binary

# Two at a time: some wait more than they work. First the one that takes longest, with a real S3 server.
step_unit() {
    local lines=$logs/unit.lines binaries
    binaries=$(find "$BUILD"/tests/{resp,ops,persistence,server} -name '*_test' -type f -perm -u+x | sort)
    binaries=$(grep /store_test$ <<<"$binaries"; grep -v /store_test$ <<<"$binaries")
    xargs -P 2 -I '{}' bash -c 'unit_binary "$1"' _ '{}' <<<"$binaries" | tee "$lines"
    awk -v binaries="$(wc -l <<<"$binaries")" '
        / passed +[0-9]+ failed$/ { seen++; passed += $(NF - 3); failed += $(NF - 1) }
        END { printf "%d passed, %d failed\n", passed, failed + (seen != binaries) }' "$lines"
}

step_tidy() {
    if tests/tidy/tidy.sh; then echo "1 passed, 0 failed"; else echo "0 passed, 1 failed"; fi
}

# The other compiler must be content too.
step_clang() {
    if make -s -j2 CC=clang BUILD="$BUILD/clang" MODE=release objects; then
        echo "1 passed, 0 failed"
    else
        echo "0 passed, 1 failed"
    fi
}

step_cli() { tests/integration/cli.sh; }
step_packages() { tests/integration/packages.sh; }
step_differences() { /usr/bin/python3 tests/integration/differences.py; }
step_faults() { /usr/bin/python3 tests/integration/faults.py; }
step_clients() { redis-tests/clients.sh; }
step_suite() { redis-tests/suite.sh; }
step_outage() { /usr/bin/python3 tests/integration/outage.py; }
step_crash() { /usr/bin/python3 tests/integration/crash.py --rounds "${CRASH_ROUNDS:-40}"; }
step_s3() { tests/integration/s3.sh; }
step_sim() { make -s BUILD="$BUILD" MODE="${MODE:-release}" "$BUILD/tests/simulation/simulation" &&
    "$BUILD/tests/simulation/simulation" "${SEEDS:-1000}"; }
step_benches() { tests/bench/quick.sh; }
step_arrivals() { /usr/bin/python3 tests/integration/arrivals.py; }
step_lock() { /usr/bin/python3 tests/integration/lock.py; }
step_sharing() { /usr/bin/python3 tests/integration/sharing.py --servers 3 --clients 4 --seconds "${SHARING_SECONDS:-15}"; }
# What the sanitizers of all processes wrote (their log_path is $BUILD/report), also of servers that
# a test killed.
step_reports() {
    local reports
    reports=$(find "$BUILD" -maxdepth 1 -name 'report.*')
    if [ -z "$reports" ]; then echo "1 passed, 0 failed"; return; fi
    head -n 60 $reports
    echo "0 passed, $(wc -l <<<"$reports") failed"
}
step_fuzz() { tests/fuzz/fuzz.sh "${FUZZ_SECONDS:-20}"; }

# Leaves what it printed in STEP.log, its status and its seconds in STEP.end.
run_step() {
    local started=$SECONDS status
    echo "== $1"
    "step_$1" 2>&1 </dev/null | tee "$logs/$1.log"
    status=${PIPESTATUS[0]}
    echo "$status $((SECONDS - started))" >"$logs/$1.end"
}

run_together() {
    local step
    for step in "$@"; do run_step "$step" >"$logs/$step.out" & done
    wait
    for step in "$@"; do cat "$logs/$step.out"; done
}

passed=0 failed=0 summary=
count() {
    local status seconds line p f
    read -r status seconds <"$logs/$1.end" || { status=1 seconds=0; }
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$logs/$1.log" | tail -n 1)
    read -r p _ f _ <<<"${line:-0 passed, 1 failed}"
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ] || [ $((p + f)) -eq 0 ]; then f=$((f + 1)); fi
    passed=$((passed + p)) failed=$((failed + f))
    summary+=$(printf '%-10s %6d passed %4d failed %5d s' "$1" "$p" "$f" "$seconds")$'\n'
}

for group in "$@"; do
    IFS=+ read -r -a steps <<<"$group"
    for step in "${steps[@]}"; do
        declare -F "step_$step" >/dev/null || { echo "tests/run.sh: no step '$step'" >&2; exit 2; }
        rm -f "$logs/$step".{log,end}
    done
    if [ ${#steps[@]} -eq 1 ]; then run_step "$group"; else run_together "${steps[@]}"; fi
    for step in "${steps[@]}"; do count "$step"; done
done
printf '\n%s' "$summary"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
