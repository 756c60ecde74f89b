#!/bin/sh
# Fuzzes for about SECONDS in all, each target for its share.
# usage: run.sh SECONDS [TARGET ...]
# Needs clang. Corpora stay in build/fuzz/corpus and grow from run to run; an input that ends a
# target is copied to build/fuzz/findings. To keep one as a test, reduce it (the last line printed for
# it says how) and put it into tests/data/fuzz/<target>/. Exit code 1: there were findings.
# BUILD_DIR: another folder than build/fuzz, built already; JOBS: targets at a time (2).
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${BUILD_DIR:-$root/build/fuzz}
jobs=${JOBS:-2}

usage() {
	sed -n 's/^# usage: //p' "$0" >&2
	exit 2
}

case ${1:-} in
'' | *[!0-9]*) usage ;;
esac
seconds=$1
shift
if [ $# = 0 ]; then
	for source in "$here"/*.cpp; do
		name=$(basename "$source" .cpp)
		[ "$name" = driver ] || set -- "$@" "$name"
	done
fi
for name in "$@"; do
	[ -f "$here/$name.cpp" ] || { echo "no such target: $name" >&2; usage; }
done

command -v clang++ >/dev/null || { echo "clang++ is needed" >&2; exit 2; }
mkdir -p "$build"
if [ "$build" = "$root/build/fuzz" ]; then
	# shellcheck disable=SC2046 # a list of words
	"$root/cmake/build.sh" fuzz -t $(printf 'fuzz_%s ' "$@") || exit 2
fi

python3 "$here/seeds.py" "$build/seeds" "$@" || exit 2
share=$((seconds * jobs / $#))
[ "$share" -gt 0 ] || share=1

# The log says at its end what libFuzzer knows: executions, coverage, memory.
fuzz_one() { # $1 = target
	corpus=$build/corpus/$1 found=$build/findings/$1
	mkdir -p "$corpus" "$found"
	kept=$root/tests/data/fuzz/$1
	[ -d "$kept" ] || kept=
	# shellcheck disable=SC2086 # a folder or nothing
	"$build/tests/fuzz/fuzz_$1" -max_total_time="$share" -timeout=20 -rss_limit_mb=2048 -max_len=8192 \
		-close_fd_mask=3 -print_final_stats=1 -artifact_prefix="$found/" \
		"$corpus" "$build/seeds/$1" $kept >"$build/$1.log" 2>&1 </dev/null
}

started=$(date +%s)
running=0
touch "$build/started"
for name in "$@"; do
	if [ "$running" -ge "$jobs" ]; then
		wait # for the pair: all have the same time
		running=0
	fi
	fuzz_one "$name" &
	running=$((running + 1))
done
wait

findings=0
for name in "$@"; do
	log=$build/$name.log
	units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
	printf '%-8s %10s inputs, %6s edges\n' "$name" "${units:-?}" "${coverage:-?}"
	[ -n "$units" ] || grep -E 'ERROR|SUMMARY|error' "$log" | head -n 3
	# shellcheck disable=SC2044 # libFuzzer names them by hashes
	for input in $(find "$build/findings/$name" -type f -newer "$build/started"); do
		findings=$((findings + 1))
		echo "FINDING $input"
		grep -m 1 -E 'SUMMARY|runtime error' "$log"
		echo "    $build/tests/fuzz/fuzz_$name -minimize_crash=1 -max_total_time=60 $input"
	done
done
echo "$findings findings in $(($(date +%s) - started)) seconds"
[ "$findings" = 0 ]
