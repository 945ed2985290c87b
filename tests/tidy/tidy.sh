#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a machine can see of STYLE: layering, lengths of functions and files, formatting. Prints
# each finding as file:line and ends with an error when there is one.
set -u
cd "$(dirname "$0")/../.." || exit 1
findings=0
finding() { echo "$1"; findings=$((findings + 1)); }

# Product code: who may include whom (ARCHITECTURE.md).
declare -A may=([resp]='resp' [ops]='ops' [persistence]='ops|persistence'
                [server]='resp|ops|persistence|server')
for module in resp ops persistence server; do
    while IFS= read -r hit; do
        finding "$hit: $module/ may include only ${may[$module]}"
    done < <(grep -nE '#include "' "$module"/*.[ch] /dev/null | grep -vE "#include \"(${may[$module]})/")
done
# ops knows neither wire, clock, thread nor store.
while IFS= read -r hit; do finding "$hit: ops/ must not know clock, thread or I/O"; done < <(
    grep -nE '#include <(time|pthread|sys/time|unistd|fcntl|sys/socket|event2?/.*|hiredis/.*)\.h>' ops/*.[ch] /dev/null)

sources=$(git ls-files -co --exclude-standard -- '*.c' '*.h')
[ -n "$sources" ] || finding "no sources found"

for file in $sources; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 800 ] || finding "$file:1: $lines lines, more than 800: more than one idea?"
    head -n 1 "$file" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' || finding "$file:1: no SPDX line"
done

# A function runs from the line before a `{` in column 1 to the `}` in column 1.
lengths=$(awk '
    FNR == 1 { start = 0 }
    /^\{/ { start = FNR }
    /^\}/ && start { print FNR - start - 1, FILENAME ":" start; start = 0 }' $sources)
total=$(wc -l <<<"$lengths")
over40=$(awk '$1 > 40' <<<"$lengths" | wc -l)
over70=$(awk '$1 > 70' <<<"$lengths" | wc -l)
while read -r n where; do
    [ -z "$n" ] || finding "$where: function of $n lines, more than 100"
done < <(awk '$1 > 100' <<<"$lengths")
[ $((over40 * 100)) -le $((total * 5)) ] || {
    awk '$1 > 40 {print $2 ": function of " $1 " lines"}' <<<"$lengths"
    finding "$over40 of $total functions have more than 40 lines: more than 1 in 20"
}
[ $((over70 * 200)) -le "$total" ] || {
    awk '$1 > 70 {print $2 ": function of " $1 " lines"}' <<<"$lengths"
    finding "$over70 of $total functions have more than 70 lines: more than 1 in 200"
}
echo "$total functions: median $(sort -n <<<"$lengths" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}')" \
     "lines, $over40 over 40, $over70 over 70"

while IFS= read -r hit; do finding "$hit"; done < <(
    grep -nwE 'TODO|FIXME|XXX' $sources /dev/null | grep -v tests/tidy)

command -v clang-format >/dev/null || { echo "clang-format is missing: make deps-test"; exit 1; }
while IFS= read -r hit; do finding "$hit"; done < <(
    clang-format --dry-run -Werror $sources 2>&1 | grep -E ': error:' | head -n 20)

[ "$findings" -eq 0 ] && echo "tidy" || { echo "$findings findings"; exit 1; }
