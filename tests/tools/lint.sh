#!/bin/sh
# Looks at the sources without running them: clang-format, cppcheck and clang-tidy on C++, shellcheck
# on shell scripts, luacheck on Lua, flake8 on Python. Last line: N passed, N failed, N skipped.
#
# usage: lint.sh                  clang-tidy on what was changed only, without its analyzer
#        lint.sh tidy [BUILD]     clang-tidy on everything, which takes an hour, and nothing else
#        lint.sh TOOL...          these only: format cpp tidy-changed shell lua python
#
# Changed is what differs from the branch main; on main itself, what the last commits brought, of it the
# sources that changed last. NFQWS2_LINT_BASE=COMMIT says it otherwise. BUILD is a folder that cmake configured with clang; without
# it build/lint is configured, not built.
set -u

cd "$(dirname "$0")/../.." || exit 1
root=$PWD
passed=0 failed=0 skipped=0
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# Other versions lay out the same code otherwise and know other checks.
clang=14
commits=10
newest=24 # sources; a minute each on a slow machine
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
said=$work/said

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

# Root could have installed it: a check that does not run must not look like one that passed.
have() { # $1 = tool
	command -v "$1" >/dev/null 2>&1 && return
	if [ "$(id -u)" = 0 ]; then
		failed=$((failed + 1))
		printf 'FAILED %s is not installed\n' "$1"
	else
		skipped=$((skipped + 1))
		printf 'SKIPPED %s is not installed\n' "$1"
	fi
	return 1
}

# Sets $program to the tool of the version that decides.
have_clang() { # $1 = tool
	program=$1-$clang
	command -v "$program" >/dev/null 2>&1 && return
	program=$1
	have "$1" || return
	"$1" --version | grep -q "version $clang\." && return
	skipped=$((skipped + 1))
	printf 'SKIPPED %s: version %s decides, this is another one\n' "$1" "$clang"
	return 1
}

# Files by patterns of git, or of find where this is no checkout; those of builds are none of ours.
files() { # patterns such as '*.cpp'
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files -co --exclude-standard -- "$@"
	else
		for pattern; do
			find . \( -path ./build -o -path ./.git \) -prune -o -type f -path "./$pattern" -print
		done | sed 's|^\./||'
	fi | sort | while IFS= read -r file; do [ ! -f "$file" ] || echo "$file"; done
}

# Scripts by their name, and those without a suffix by their first line.
scripts() {
	files '*' | while IFS= read -r file; do
		case $file in
		*.sh) echo "$file" ;;
		*) head -n 1 "$file" 2>/dev/null | tr -d '\0' | grep -qE '^#! ?/bin/sh' && echo "$file" ;;
		esac
	done
}

check_format() {
	have_clang clang-format || return
	files '*.cpp' '*.hpp' '*.c' '*.h' >"$work/files"
	xargs -P "$jobs" -n 50 "$program" --dry-run -Werror <"$work/files" >"$said" 2>&1
	judge clang-format $?
}

check_cpp() {
	have cppcheck || return
	for room in src/*/; do
		cppcheck -q -j "$jobs" --std=c++20 --language=c++ --error-exitcode=2 --inline-suppr \
			--enable=warning,performance,portability --suppressions-list=tests/tools/cppcheck.txt \
			-I include -I src "$room" >"$said" 2>&1
		judge "cppcheck $room" $?
	done
}

check_shell() {
	have shellcheck || return
	for script in $(scripts); do
		shellcheck -s dash "$script" >"$said" 2>&1
		judge "shellcheck $script" $?
	done
}

check_lua() {
	have luacheck || return
	# With -q the total is said always.
	files '*.lua' | xargs luacheck --no-color --codes -q >"$said" 2>&1
	code=$?
	grep -v '^Total: 0 warnings / 0 errors' "$said" >"$said.rest"
	mv "$said.rest" "$said"
	judge luacheck $code
}

check_python() {
	have flake8 || return
	flake8 >"$said" 2>&1
	judge flake8 $?
}

# --- clang-tidy

# Sets `base`, and `most`: how many sources are looked at.
find_base() {
	most=100000 base=${NFQWS2_LINT_BASE:-}
	[ -z "$base" ] || return 0
	for branch in main origin/main; do
		base=$(git merge-base HEAD "$branch" 2>/dev/null) || continue
		[ "$base" = "$(git rev-parse HEAD)" ] || return 0
	done
	base=$(git rev-list --max-count=$((commits + 1)) HEAD | tail -n 1) most=$newest
}

# What differs from the base by more than its place and its includes.
changed_files() {
	git diff -z -M -I '^#include ' --numstat --diff-filter=d "$base" -- '*.cpp' '*.hpp' | tr '\0' '\n' |
		awk -F '\t' '
			names && --names { next } # where it was
			!NF { next }
			NF == 1 { if (lines) print; next }
			{ lines = $1 + $2; names = 0 }
			$3 == "" { names = 2; next }
			lines { print $3 }'
}

# The changed sources, the newest first; of a changed header a source that includes it, which shows what is
# found there.
changed() {
	changed_files | while IFS= read -r file; do
		case $file in
		*.cpp) echo "$file" ;;
		*) files 'src/*.cpp' 'tests/*.cpp' | xargs grep -lE "#include \"(.*/)?${file##*/}\"" | head -n 1 ;;
		esac
	done | sort -u | while IFS= read -r file; do
		echo "$(git log -1 --format=%ct -- "$file") $file"
	done | sort -rn | cut -d ' ' -f 2-
}

tidy() { # $1 = build folder, $2 = checks beside those of .clang-tidy; sources on stdin
	database=$1/compile_commands.json
	# A source that no target of the build has (other systems, options) cannot be read.
	while IFS= read -r file; do
		if grep -qF "\"$root/$file\"" "$database"; then echo "$file"; fi
	done >"$work/sources"
	[ -s "$work/sources" ] || return
	# One output a file; what goes to stderr is "N warnings generated" and crashes, which the code tells.
	# shellcheck disable=SC2016 # $0 and $1 are those of the inner shell
	xargs -P "$jobs" -n 1 sh -c '
		"$0" -p "$1" --quiet --checks="$3" "$4" >"$2/$$.tidy" 2>"$2/$$.err" || cat "$2/$$.err" >>"$2/$$.tidy"
		[ ! -s "$2/$$.tidy" ] || mv "$2/$$.tidy" "$2/found.$(echo "$4" | tr / _)"
		rm -f "$2/$$.tidy" "$2/$$.err"' "$program" "$1" "$work" "$2" <"$work/sources"
	while IFS= read -r file; do
		: >"$said"
		found=$work/found.$(echo "$file" | tr / _)
		[ ! -f "$found" ] || mv "$found" "$said"
		judge "clang-tidy $file" 0
	done <"$work/sources"
}

configured() { # $1 = build folder or nothing; sets $build
	build=${1:-build/lint}
	[ -z "${1:-}" ] || return 0
	cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang \
		-DCMAKE_CXX_COMPILER=clang++ -DNFQWS2_BENCH=ON -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >"$said" 2>&1 && return
	judge "configuring $build" 1
	return 1
}

check_tidy() { # $1 = build folder or nothing
	have_clang clang-tidy && have clang++ && configured "${1:-}" || return
	files 'src/*.cpp' 'tests/*.cpp' | tidy "$build" ""
}

# Nothing to look at is a result too, else a change of documents could not pass.
check_tidy_changed() {
	have_clang clang-tidy || return
	: >"$work/sources"
	if git rev-parse --git-dir >/dev/null 2>&1; then
		find_base
		changed >"$work/all"
		head -n $most "$work/all" >"$work/changed"
		cmp -s "$work/all" "$work/changed" ||
			echo "clang-tidy: $(($(wc -l <"$work/all") - most)) more changed sources are left to lint.sh tidy"
		if [ -s "$work/changed" ]; then
			have clang++ && configured "" || return
			tidy "$build" '-clang-analyzer-*' <"$work/changed"
		fi
	fi
	[ ! -s "$work/sources" ] || return
	echo "clang-tidy: no C++ was changed"
	passed=$((passed + 1))
}

if [ "${1:-}" = tidy ]; then
	check_tidy "${2:-}"
else
	[ $# != 0 ] || set -- format lua python shell cpp tidy-changed
	for tool; do
		case $tool in
		format) check_format ;;
		cpp) check_cpp ;;
		tidy-changed) check_tidy_changed ;;
		shell) check_shell ;;
		lua) check_lua ;;
		python) check_python ;;
		*)
			echo "lint.sh: no tool '$tool'" >&2
			exit 2
			;;
		esac
	done
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
