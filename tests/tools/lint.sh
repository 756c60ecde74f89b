#!/bin/sh
# Looks at the sources without running them: shellcheck on every shell script, cppcheck on C++, and
# with `tidy` clang-tidy, which takes minutes. Last line: N passed, N failed, N skipped.
#
# usage: lint.sh [tidy BUILD_FOLDER]     BUILD_FOLDER was made by cmake with clang
set -u

cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0 skipped=0
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
said=$(mktemp) || exit 1
trap 'rm -f "$said"' EXIT

# Counts one check by its exit code and by what it said: nothing is good.
judge() { # $1 = title, $2 = exit code
	if [ "$2" = 0 ] && [ ! -s "$said" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'FAILED %s (exit code %s)\n' "$1" "$2"
	sed 's/^/  /' "$said"
}

have() { # $1 = tool
	command -v "$1" >/dev/null 2>&1 && return
	skipped=$((skipped + 1))
	printf 'SKIPPED %s is not installed\n' "$1"
	return 1
}

# Scripts by their first line, and parts of scripts by their name.
scripts() {
	find . \( -path ./build -o -path ./.git \) -prune -o -type f -print | sort |
		while IFS= read -r file; do
			case $file in
			*.sh) echo "$file" ;;
			*) head -n 1 "$file" 2>/dev/null | tr -d '\0' | grep -qE '^#! ?/bin/sh' && echo "$file" ;;
			esac
		done
}

if have shellcheck; then
	list=$(scripts)
	for script in $list; do
		shellcheck -s dash "$script" >"$said" 2>&1
		judge "shellcheck $script" $?
	done
fi

if have cppcheck; then
	for room in src/*/; do
		cppcheck -q -j "$jobs" --std=c++20 --language=c++ --error-exitcode=2 --inline-suppr \
			--enable=warning,performance,portability --suppressions-list=tests/tools/cppcheck.txt \
			-I include -I src "$room" >"$said" 2>&1
		judge "cppcheck $room" $?
	done
fi

if [ "${1:-}" = tidy ] && have clang-tidy; then
	for room in src/*/; do
		# Only "N warnings generated" goes to stderr.
		find "$room" -name '*.cpp' -print0 |
			xargs -0 -P "$jobs" -n 4 clang-tidy -p "${2:-build/clang}" --quiet >"$said" 2>/dev/null
		judge "clang-tidy $room" $?
	done
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
