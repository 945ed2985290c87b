#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a person at the terminal meets: help, version, the example configuration, errors that name
# the directive, file, line and remedy. Ends with `N passed, N failed`.
set -u
cd "$(dirname "$0")/../.." || exit 1
SERVER=${SERVER:-${BUILD:-build}/cairn-server}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# NAME WANTED-STATUS PATTERN COMMAND…: the exit status, and a line of the output that matches.
check() {
    local name=$1 status=$2 pattern=$3 out got
    shift 3
    out=$(timeout 20 "$@" 2>&1 </dev/null)
    got=$?
    if [ "$got" -eq "$status" ] && grep -qE -- "$pattern" <<<"$out"; then
        passed=$((passed + 1))
        echo "ok - $name"
    else
        failed=$((failed + 1))
        printf 'not ok - %s: exit status %s, wanted %s and /%s/ in:\n%s\n' "$name" "$got" "$status" "$pattern" "$out"
    fi
}

[ -x "$SERVER" ] || { echo "no server $SERVER: run make"; echo "0 passed, 1 failed"; exit 1; }

check "--help lists the directives" 0 '^  --journal-fsync everysec' "$SERVER" --help
check "--version is one line" 0 '^cairn-server [0-9]+\.[0-9]+\.[0-9]+$' "$SERVER" --version
check "cairn.conf is what --print-config prints" 0 '^same$' \
    bash -c "diff <('$SERVER' --print-config) cairn.conf && echo same"
check "the example configuration is accepted" 1 'cannot listen on 192\.0\.2\.1' \
    "$SERVER" cairn.conf --store memory --bind 192.0.2.1 --port 29999

printf 'port 7000\n\n# a remark\nsync-intervall 5\n' >"$work/a.conf"
check "an unknown directive names file, line and remedy" 1 \
    "a\.conf:4: unknown directive 'sync-intervall' \(did you mean 'sync-interval'\?\)" "$SERVER" "$work/a.conf"
printf 'maxclients many\n' >"$work/b.conf"
check "a bad value names file and line" 1 "b\.conf:1: .*maxclients" "$SERVER" "$work/b.conf"
check "a bad value on the command line names the directive" 1 "journal-fsync" \
    "$SERVER" --journal-fsync sometimes
check "a directive without a value is an error" 1 "port" "$SERVER" --port
check "a file that is not there is named" 1 "nowhere\.conf" "$SERVER" "$work/nowhere.conf"
check "a word far from any directive gets no guess" 1 "unknown directive 'xyzzy'; " "$SERVER" --xyzzy 1
check "an export of what is not there is an error" 1 "nothing" "$SERVER" --export "$work" nothing
check "an export of a bad name is an error" 1 "\.\./x" "$SERVER" --export "$work" ../x
check "an export takes the endpoint that is given" 1 "s3-endpoint 'nonsense'" \
    "$SERVER" --export s3://bucket/x name --s3-endpoint nonsense --s3-region eu-x-1
check "an errand's directives are checked" 1 "unknown directive 's3-endpiont'" \
    "$SERVER" --export "$work" name --s3-endpiont http://127.0.0.1:1
check "an export wants a namespace" 1 "usage: --export STORE NAMESPACE" "$SERVER" --export "$work" --s3-region x

mkdir "$work/store"
for name in one two; do
    printf '{"namespace":"%s","position":0,"state":{"a":1,"b":"x"}}' $name | "$SERVER" --import "$work/store" $name
done
check "an empty store is sound" 0 '^0 namespaces' "$SERVER" --verify "$work"
check "a sound namespace is" 0 '^one: sound: position 0, .* 2 keys' "$SERVER" --verify "$work/store" one
check "so is a sound store" 0 '^2 namespaces, 2 sound' "$SERVER" --verify "$work/store"
printf x | dd of="$work/store/two.json" bs=1 seek=200 conv=notrunc status=none
check "a damaged head is not, and is named" 1 '^  two\.json: damaged' "$SERVER" --verify "$work/store" two
check "nor is its store" 1 '^2 namespaces, 1 sound, 1 not sound' "$SERVER" --verify "$work/store"
check "the others in it are" 0 '^one: sound' "$SERVER" --verify "$work/store" one
cp -r "$work/store" "$work/copy" && rm -r "$work/copy/.cairn" && chmod -R a-w "$work/copy"
check "a copy that cannot be written is verified …" 0 '^one: sound' "$SERVER" --verify "$work/copy" one
check "… and left as it is" 0 '^one.json two.json$' bash -c "ls -A '$work/copy' | paste -sd' '"
chmod -R u+w "$work/copy"
check "a namespace that is not there is not sound" 1 'no namespace three' "$SERVER" --verify "$work/store" three
check "a store that is not there cannot be verified" 2 'nowhere' "$SERVER" --verify "$work/nowhere"
check "nor can a bucket out of reach" 2 's3://bucket/x/: LIST' env AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b \
    "$SERVER" --verify s3://bucket/x --s3-endpoint http://127.0.0.1:1
check "nor one namespace of it" 2 '^name: NOT READ' env AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b \
    "$SERVER" --verify s3://bucket/x name --s3-endpoint http://127.0.0.1:1
check "--verify wants a store" 2 "usage: --verify STORE \[NAMESPACE\]" "$SERVER" --verify

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
