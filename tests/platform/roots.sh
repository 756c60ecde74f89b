#!/bin/sh
# What a newcomer meets on a fresh Debian, and what other compilers say. Run by hand, as root.
# usage: roots.sh [--keep] [RELEASE...]
#        roots.sh --compiler COMPILER RELEASE...
#        roots.sh --static RELEASE...
#   --keep    leaves that root, fresh-RELEASE beside the others, for a look around
#   RELEASE   bookworm trixie sid; all three if none is named. In a root made anew `./bootstrap demo` and
#             `./bootstrap test quick` are run on a copy of this tree, without a compiler cache.
#   COMPILER  gcc-12 ... gcc-14, clang-14 ... clang-19, as far as the release has it: the preset release
#             (warnings are errors) is built by it, then unit tests and golden captures run.
#   --static  the same for the preset static, with all unit tests, Lua suites and golden captures
#
# Minimal roots are kept below ${XDG_CACHE_HOME:-~/.cache}/nfqws2/roots. Logs: build/logs/root-*.log.
# Last line: "N passed, N failed, N skipped", counting these steps.
# shellcheck disable=SC2154 # variables of roots_lib.sh
set -u

cd "$(dirname "$0")/../.." || exit 1
# shellcheck disable=SC1091 # beside this file
. tests/platform/roots_lib.sh

copy_tree() { # $1 = root
	rm -rf "$1/src"
	mkdir -p "$1/src"
	git ls-files -z --cached --others --exclude-standard |
		tar -c --null --ignore-failed-read -T - | tar -x -C "$1/src" || die "the tree could not be copied"
}

step() { # $1 = title, $2 = log, rest = command; counts it and tells how long it took
	title=$1 log=$2
	shift 2
	say "$title"
	begin=$(date +%s)
	if "$@" >"$log" 2>&1 </dev/null; then
		passed=$((passed + 1)) word=ok
	else
		failed=$((failed + 1)) word=FAILED
		tail -n 30 "$log"
	fi
	seconds=$(($(date +%s) - begin))
	printf '%s %s: %d:%02d  %s\n' "$word" "$title" $((seconds / 60)) $((seconds % 60)) \
		"$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)"
	[ $word = ok ]
}

newcomer() { # $1 = release
	base_root "$1"
	fresh=$cache/fresh-$1
	rm -rf "$fresh"
	cp -a "$base" "$fresh"
	copy_tree "$fresh"
	for words in demo "test quick"; do
		# shellcheck disable=SC2086 # two words
		step "$1: ./bootstrap $words" "build/logs/root-$1-${words##* }.log" inside "$fresh" "" \
			sh -c "cd /src && exec ./bootstrap $words"
	done
	[ -n "$keep" ] || rm -rf "$fresh"
}

# Builds a preset in a root that is kept for this, and runs some of its tests.
try() { # $1 = what is tried, $2 = release, $3 = preset, $4 = more packages, $5 = variables, $6 = words for ctest
	base_root "$2"
	root=$cache/compilers-$2 logs=build/logs/root-$2-$1
	[ -d "$root" ] || cp -a "$base" "$root"
	copy_tree "$root"
	step "$2: packages for $1" "$logs-packages.log" inside "$root" "" sh -c "apt-get update -q &&
		apt-get install -y -q $4 cmake ninja-build ccache pkg-config python3 \
			libnetfilter-queue-dev libnetfilter-conntrack-dev libmnl-dev libluajit-5.1-dev zlib1g-dev libcap-dev \
			libseccomp-dev libc-ares-dev libmbedtls-dev libpcap-dev libtomlplusplus-dev libmaxminddb-dev libgtest-dev \
			nlohmann-json3-dev &&
		apt-get clean" || return
	step "$2: $1 builds" "$logs-build.log" inside "$root" "$ccache_bind" sh -c "cd /src &&
		$with_ccache $5 && cmake/build.sh $3 -t nfqws2 unit_tests" || return
	step "$2: $1, tests" "$logs-tests.log" inside "$root" "$ccache_bind" sh -c "cd /src &&
		ctest --preset $3 -j$(nproc) -V --no-tests=error $6"
	tell_ctest "$logs-tests.log"
}

compile() { # $1 = compiler, $2 = release
	case $1 in
	gcc-*) package=g++-${1#gcc-} c=$1 cxx=g++-${1#gcc-} ;;
	clang-*) package=$1 c=$1 cxx=clang++-${1#clang-} ;;
	*) die "no such compiler: $1" ;;
	esac
	try "$1" "$2" release "$package" "CC=$c CXX=$cxx" \
		"-R '^(unit/(base|packet|protocol|flow|profile|lua|engine)|golden/captures)$'"
}

compiler='' keep='' static=''
[ "${1:-}" != --keep ] || { keep=yes; shift; }
[ "${1:-}" != --static ] || { static=yes; shift; }
[ "${1:-}" != --compiler ] || { compiler=$2; shift 2; }
[ $# != 0 ] || set -- bookworm trixie sid
prepare_host
need git git
for release; do
	if [ -n "$compiler" ]; then
		compile "$compiler" "$release"
	elif [ -n "$static" ]; then
		try static "$release" static g++ "" "" # all that the preset chooses
	else
		newcomer "$release"
	fi
done
finish
