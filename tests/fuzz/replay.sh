#!/bin/sh
# Runs every fuzz target over its seeds and over the findings that were kept (tests/data/fuzz).
# usage: replay.sh BUILD_DIR
# Last line: "N passed, N failed, N skipped", counting input files.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: replay.sh BUILD_DIR}
seeds=$(mktemp -d) || exit 1
trap 'rm -rf "$seeds"' EXIT
passed=0 failed=0 skipped=0

# The target may print much, and hang.
run() { # $1 = target, rest = files
	program=$build/tests/fuzz/fuzz_$1
	shift
	timeout 300 "$program" "$@" >"$seeds/log" 2>&1 </dev/null
}

python3 "$here/seeds.py" "$seeds" || exit 1
for source in "$here"/*.cpp; do
	target=$(basename "$source" .cpp)
	[ "$target" = driver ] && continue
	set -- "$seeds/$target"/*
	for kept in "$here/../data/fuzz/$target"/*; do
		[ -f "$kept" ] && set -- "$@" "$kept"
	done
	if [ ! -x "$build/tests/fuzz/fuzz_$target" ]; then
		skipped=$((skipped + $#))
		echo "SKIPPED fuzz_$target is not built"
	elif run "$target" "$@"; then
		passed=$((passed + $#))
	else
		for input in "$@"; do
			if run "$target" "$input"; then
				passed=$((passed + 1))
			else
				failed=$((failed + 1))
				echo "FAILED $target $input: exit code $?"
				grep -m 1 -E 'SUMMARY|runtime error' "$seeds/log"
			fi
		done
	fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
