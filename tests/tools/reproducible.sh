#!/bin/sh
# Two builds of one tree in two folders, from nothing and without a compiler cache, are equal byte for
# byte. All programs take minutes: by hand before a release. Last line: N passed, N failed, N skipped.
#
# usage: reproducible.sh [-t PROGRAM] [CMAKE_OPTION...]     e.g. -DCMAKE_BUILD_TYPE=RelWithDebInfo
set -u

cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 programs="nfqws2 ip2net mdig"
[ "${1:-}" != -t ] || { programs=$2; shift 2; }
: "${SOURCE_DATE_EPOCH:=1767225600}"
export SOURCE_DATE_EPOCH

for tree in "$work/one" "$work/another folder/two"; do
	mkdir -p "$tree/source"
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files -z --cached | tar -c --null -T -
	else
		tar -c --exclude=./build .
	fi | tar -x -C "$tree/source" || exit 1
	# shellcheck disable=SC2086 # a list of programs
	if ! cmake -S "$tree/source" -B "$tree/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DNFQWS2_TESTS=OFF \
		-DCMAKE_CXX_COMPILER_LAUNCHER= -DCMAKE_C_COMPILER_LAUNCHER= "$@" >"$work/log" 2>&1 ||
		! cmake --build "$tree/build" --target $programs >>"$work/log" 2>&1; then
		tail -n 20 "$work/log"
		echo "0 passed, 1 failed, 0 skipped"
		exit 1
	fi
done
for program in $programs; do
	one=$work/one/build/$program two="$work/another folder/two/build/$program"
	sha256sum "$one" "$two"
	if ! cmp "$one" "$two"; then
		failed=$((failed + 1))
	elif grep -qF "$work" "$one"; then
		echo "FAILED $program: names the folder of the build"
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
