#!/bin/sh
# Builds for other processors and runs the tests there under qemu-user (i386 on x86_64 without it): the
# unit tests of base, packet, protocol, flow and lua, the golden captures, the seeded ones.
# usage: cross.sh [--prepare] ARCH...        ARCH: aarch64 armhf i386 mipsel s390x, or all
#   --prepare   only make the roots
#
# Needs root, and Debian's mirror for the first time: compilers and libraries live in a root of Debian
# 12 for each processor, below ${XDG_CACHE_HOME:-~/.cache}/nfqws2/roots, which may be removed at any
# time. Builds go to build/cross-ARCH. What cannot be had is a failure.
# Last line: "N passed, N failed, N skipped".
# shellcheck disable=SC2154 # variables of roots_lib.sh
set -u

cd "$(dirname "$0")/../.." || exit 1
# shellcheck disable=SC1091 # beside this file
. tests/platform/roots_lib.sh

# Sets `triplet` of the compiler and `engine`, the package of Lua.
describe() { # $1 = ARCH
	debian=$1 engine=libluajit-5.1-dev
	case $1 in
	aarch64) triplet=aarch64-linux-gnu debian=arm64 ;;
	armhf) triplet=arm-linux-gnueabihf ;;
	i386) triplet=i686-linux-gnu ;;
	mipsel) triplet=mipsel-linux-gnu ;;
	s390x) triplet=s390x-linux-gnu engine=liblua5.4-dev ;; # Debian's LuaJIT does not run under qemu
	*) die "no such processor: $1; there are: aarch64 armhf i386 mipsel s390x" ;;
	esac
}

# A root with the compiler and the libraries of one processor: those of several exclude each other.
cross_root() { # $1 = ARCH
	root=$cache/cross-$1
	tools="cmake ninja-build ccache pkg-config python3 qemu-user-static nlohmann-json3-dev g++-$triplet"
	foreign=
	for library in libnetfilter-queue-dev libnetfilter-conntrack-dev libmnl-dev $engine zlib1g-dev libcap-dev libseccomp-dev \
		libmbedtls-dev libpcap-dev libidn2-dev libgtest-dev; do
		foreign="$foreign $library:$debian"
	done
	[ "$(cat "$root/packages" 2>/dev/null)" = "$tools$foreign" ] && return
	say "$1: making $root"
	base_root bookworm
	rm -rf "$root" "$root.new"
	cp -a "$base" "$root.new"
	# shellcheck disable=SC2086 # lists of packages
	inside "$root.new" "" sh -euc "dpkg --add-architecture $debian && apt-get update -q &&
		apt-get install -y -q $tools && apt-get install -y -q $foreign && apt-get clean" \
		>"$root.log" 2>&1 || { tail -n 5 "$root.log" >&2; return 1; }
	echo "$tools$foreign" >"$root.new/packages"
	mv "$root.new" "$root"
}

fail() { failed=$((failed + 1)); printf 'FAILED %s\n' "$*"; }

# Adds what the entries of ctest counted. An entry without a count, or none at all, is a failure.
add_up() { # $1 = log
	counts=$(sed -nE 's/^[0-9]+: ([0-9]+ passed, [0-9]+ failed, [0-9]+ skipped)$/\1/p' "$1")
	entries=$(sed -nE 's/^.*tests passed.* out of ([0-9]+)$/\1/p' "$1")
	[ -n "$entries" ] && [ "$(printf '%s\n' "$counts" | wc -l)" = "$entries" ] || return 1
	while read -r p _ f _ s _; do
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	done <<-END
		$counts
	END
}

run() { # $1 = ARCH
	describe "$1"
	cross_root "$1" || { fail "$1: no root, see $cache/cross-$1.log"; return; }
	[ -z "$prepare" ] || { passed=$((passed + 1)); return; }
	say "$1: building in build/cross-$1"
	begin=$(date +%s)
	binds="$tree:/src $ccache_bind"
	common="cd /src && $with_ccache"
	if ! inside "$root" "$binds" sh -c "$common && cmake/build.sh cross-$1" </dev/null; then
		fail "$1: the build, see build/logs/cross-$1.build.log"
		return
	fi
	passed=$((passed + 1)) built=$(date +%s) log=build/logs/cross-$1.ctest.log before=$failed
	say "$1: built in $((built - begin)) s; tests begin"
	inside "$root" "$binds" sh -c "$common && ctest --preset cross-$1 -j$(nproc) -V --no-tests=error" \
		>"$log" 2>&1 </dev/null
	code=$?
	add_up "$log" || fail "$1: not every entry of ctest counted its cases, see $log"
	[ $code = 0 ] || [ "$failed" != "$before" ] || fail "$1: ctest ended with $code, see $log"
	tell_ctest "$log"
	say "$1: tests took $(($(date +%s) - built)) s"
}

prepare=
[ "${1:-}" != --prepare ] || { prepare=yes; shift; }
[ $# != 0 ] || die "which processor? aarch64 armhf i386 mipsel s390x, or all"
[ "$1" != all ] || set -- aarch64 armhf i386 mipsel s390x
for arch; do describe "$arch"; done
prepare_host
for arch; do run "$arch"; done
finish
