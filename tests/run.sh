#!/bin/sh
# The whole test suite, in order of cost: unit tests, Lua suites, golden captures, end-to-end; then
# the same program under AddressSanitizer and UBSan, and built with PUC Lua and with clang. Called by
# `./bootstrap test`, which has installed what is needed. Last line: N passed, N failed, N skipped.
set -u

cd "$(dirname "$0")/.." || exit 1
root=$PWD
logs=$root/build/logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0

say() { printf '==> %s\n' "$*"; }

# Adds the "N passed, N failed, N skipped" line that ends a log; a log without one is a failure.
count() { # $1 = title, $2 = log, $3 = exit code
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$2" | tail -n 1)
	if [ -z "$line" ]; then
		failed=$((failed + 1))
		printf 'FAILED %s: no result\n' "$1"
		tail -n 40 "$2"
		return
	fi
	p=$(echo "$line" | sed -E 's/^([0-9]+) passed.*/\1/')
	f=$(echo "$line" | sed -E 's/.* ([0-9]+) failed.*/\1/')
	s=$(echo "$line" | sed -nE 's/.* ([0-9]+) skipped.*/\1/p')
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
	if [ "$3" != 0 ] && [ "$f" = 0 ]; then
		failed=$((failed + 1))
		printf 'FAILED %s: exit code %s\n' "$1" "$3"
	fi
	printf '    %s: %s\n' "$1" "$line"
	grep -E '^(FAILED|SKIPPED|waiting|live only)' "$2" | head -n 60
	[ "$f" = 0 ] || sed -n '/^FAILED/,/^[^ ]/p' "$2" | head -n 80
}

suite() { # $1 = title, rest = command
	title=$1
	shift
	say "$title"
	log=$logs/$(echo "$title" | tr ' /' '__').log
	"$@" >"$log" 2>&1 </dev/null
	count "$title" "$log" $?
}

build() { # $1 = folder, $2 = targets, rest = cmake options
	dir=$root/build/$1
	targets=$2
	shift 2
	say "building in build/${dir##*/}"
	launcher=
	command -v ccache >/dev/null 2>&1 && launcher=-DCMAKE_CXX_COMPILER_LAUNCHER=ccache
	# shellcheck disable=SC2086 # lists of words
	if cmake -S "$root" -B "$dir" -G Ninja $launcher "$@" >"$dir.log" 2>&1 &&
		cmake --build "$dir" --target $targets >>"$dir.log" 2>&1; then
		passed=$((passed + 1))
		return 0
	fi
	failed=$((failed + 1))
	printf 'FAILED build/%s\n' "${dir##*/}"
	grep -E 'error|warning' "$dir.log" | head -n 20
	tail -n 15 "$dir.log"
	return 1
}

units() { # $1 = build folder; every test_* executable, counted by GoogleTest itself
	up=0 uf=0 us=0
	for test in "$1"/tests/test_*; do
		[ -x "$test" ] || continue
		out=$logs/$(basename "$1")-$(basename "$test").log
		"$test" --gtest_color=no >"$out" 2>&1 </dev/null
		code=$?
		p=$(sed -nE 's/^\[  PASSED  \] ([0-9]+) test.*/\1/p' "$out" | tail -n 1)
		f=$(grep -cE '^\[  FAILED  \] [^ ]+ \([0-9]+ ms\)$' "$out")
		s=$(sed -nE 's/^\[  SKIPPED \] ([0-9]+) test.*/\1/p' "$out" | tail -n 1)
		if [ "$code" != 0 ] && [ "$f" = 0 ]; then
			f=1
			echo "FAILED $(basename "$test"): exit code $code"
			tail -n 30 "$out" | sed 's/^/  /'
		elif [ "$f" != 0 ]; then
			echo "FAILED $(basename "$test"):"
			grep -E -B12 '^\[  FAILED  \] [^ ]+ \([0-9]+ ms\)$' "$out" | sed 's/^/  /'
		fi
		# A skipped test says why on the line before.
		grep -E -A1 ': Skipped$' "$out" | grep -vE ': Skipped$|^--' | sed 's/^/SKIPPED /' |
			head -n 20
		up=$((up + ${p:-0})) uf=$((uf + f)) us=$((us + ${s:-0}))
	done
	echo "$up passed, $uf failed, $us skipped"
	[ "$uf" = 0 ]
}

# A Lua suite run inside the program; it prints its own count.
lua_suite() { # $1 = program, rest = init items
	program=$1
	shift
	"$program" --intercept=0 "$@"
}

suites() { # $1 = build folder, $2 = title prefix
	program=$1/nfqws2
	suite "$2unit tests" env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=1" "$root/tests/run.sh" units "$1"
	suite "$2native API vectors" lua_suite "$program" --lua-init=@tests/data/lua-api-vectors.lua
	suite "$2library vectors" lua_suite "$program" --lua-init=@lua/zapret-lib.lua \
		--lua-init=@tests/data/lua-lib-vectors.lua
	suite "$2self test" lua_suite "$program" --lua-init=@lua/zapret-lib.lua \
		--lua-init=@lua/zapret-antidpi.lua --lua-init=@lua/zapret-auto.lua \
		--lua-init=@lua/zapret-obfs.lua --lua-init=@lua/zapret-pcap.lua \
		--lua-init=@lua/zapret-tests.lua
	suite "$2golden captures" python3 tests/golden/run.py "$program" lua
}

fuzz_inputs() { # $1 = build folder, $2 = title prefix
	suite "$2fuzz inputs" tests/fuzz/replay.sh "$1"
}

if [ "${1:-}" = units ]; then
	units "$2"
	exit
fi

build release all -DCMAKE_BUILD_TYPE=Release && {
	suites build/release ""
	fuzz_inputs build/release ""
	suite "mdig with a real name server" python3 tests/tools/mdig_live.py build/release/mdig
	suite "golden captures with 4 workers" python3 tests/golden/run.py build/release/nfqws2 lua --workers=4
	suite "command lines" python3 tests/cmdlines/run.py build/release/nfqws2 lua
	suite "end-to-end" python3 tests/e2e/run.py build/release/nfqws2 lua
	suite "end-to-end with 4 workers" python3 tests/e2e/run.py build/release/nfqws2 lua --workers 4
	suite "end-to-end with offload" env NFQWS2_EXTRA=--offload-mark=0x10000000 \
		python3 tests/e2e/run.py build/release/nfqws2 lua golden merged udp obfuscation autohost
	suite "lint" tests/tools/lint.sh
	suite "documents" python3 tests/docs/check.py build/release/nfqws2
	suite "service layer" python3 tests/service/run.py build/release
	suite "blockcheck2" python3 tests/blockcheck/run.py build/release/nfqws2 lua
}
# The leak check at exit needs ptrace, which the program's own sandbox forbids; the unit tests, which
# run without it, check for leaks.
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS UBSAN_OPTIONS
build asan all -DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1" \
	-DNFQWS2_SANITIZE=address,undefined && {
	suites build/asan "sanitized "
	fuzz_inputs build/asan "sanitized "
	suite "sanitized end-to-end" python3 tests/e2e/run.py build/asan/nfqws2 lua broken bad_input \
		queue golden faults flood
}
# Threads: what workers share. The sanitizer delays signals in Lua code, so no endless scripts here.
build tsan "nfqws2 test_base test_flow test_profile" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	-DNFQWS2_SANITIZE=thread && {
	suite "thread sanitizer unit tests" tests/run.sh units build/tsan
	suite "thread sanitizer end-to-end" python3 tests/e2e/run.py build/tsan/nfqws2 lua workers.flows \
		workers.automatic workers.ip_cache workers.dump workers.lists workers.trace
}
build puc "nfqws2 test_lua test_engine" -DCMAKE_BUILD_TYPE=Release -DNFQWS2_LUA=lua5.4 &&
	suites build/puc "PUC Lua "
build clang all -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
