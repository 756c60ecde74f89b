#!/bin/sh
# Finds the folder of binaries/ whose programs run here.
#   install_bin.sh getarch   prints its name
#   install_bin.sh           links the programs to ip2net/, mdig/ and nfq2/
# shellcheck shell=dash

EXEDIR=$(cd "$(dirname "$0")" && pwd) || exit 1
ZAPRET_BASE=${ZAPRET_BASE:-"$EXEDIR"}
# shellcheck source=/dev/null
. "$ZAPRET_BASE/common/base.sh"
BINDIR="$ZAPRET_BASE/binaries"

case $(uname) in
FreeBSD) ARCHS='my freebsd-x86_64' ;;
CYGWIN*) ARCHS='windows-x86_64 windows-x86' ;;
*)
	ARCHS='my linux-x86_64 linux-x86 linux-arm64 linux-arm linux-mips64 linux-mipsel64 linux-mipsel
	linux-mips linux-lexra linux-ppc linux-riscv64'
	;;
esac

elf_kind() { # FILE: class, byte order and machine
	od -An -tx1 -j4 -N2 "$1" 2>/dev/null
	od -An -tx1 -j18 -N2 "$1" 2>/dev/null
}

# Does this program run here? A shell that tries a foreign binary as a script must not be asked: bash and
# zsh refuse it. Without them the headers are compared with those of /bin/sh.
runs_here() { # PROGRAM
	local shell
	[ -f "$1" ] && [ -x "$1" ] || return 1
	for shell in bash zsh; do
		if exists "$shell"; then
			# shellcheck disable=SC2016 # for that shell
			[ -n "$(echo 0.0.0.0 | "$shell" -c '"$0"' "$1" 2>/dev/null)" ]
			return
		fi
	done
	if [ -n "$(elf_kind /bin/sh)" ]; then
		[ "$(elf_kind "$1")" = "$(elf_kind /bin/sh)" ] && [ -n "$(echo 0.0.0.0 | "$1" 2>/dev/null)" ]
		return
	fi
	[ -n "$(echo 0.0.0.0 | find "$1" -exec {} \; 2>/dev/null)" ]
}

link_program() { # FOLDER NAME ARCH
	local kept
	[ -f "$BINDIR/$3/$2" ] || return 1
	# A program that is no link was put there by somebody.
	if [ -f "$ZAPRET_BASE/$1/$2" ] && [ ! -L "$ZAPRET_BASE/$1/$2" ]; then
		kept="$1/$2.old-$(date +%Y%m%d-%H%M%S)"
		mv "$ZAPRET_BASE/$1/$2" "$ZAPRET_BASE/$kept" || return 1
		echo "keeping : $1/$2 => $kept"
	fi
	mkdir -p "$ZAPRET_BASE/$1" && ln -sf "../binaries/$3/$2" "$ZAPRET_BASE/$1/$2" &&
		echo "linking : ../binaries/$3/$2 => $1/$2"
}

# ip2net needs next to nothing; mdig may need a library that this system has not.
all_run_here() { # ARCH
	runs_here "$BINDIR/$1/ip2net" || return 1
	[ -f "$BINDIR/$1/mdig" ] || return 0
	runs_here "$BINDIR/$1/mdig" && return 0
	echo "$1: ip2net runs here, mdig does not; does it lack a library?" >&2
	return 1
}

for arch in $ARCHS; do
	if all_run_here "$arch"; then
		if [ "$1" = getarch ]; then
			echo "$arch"
			exit 0
		fi
		echo "$arch is OK"
		if link_program ip2net ip2net "$arch" && link_program mdig mdig "$arch" &&
			link_program nfq2 nfqws2 "$arch"; then
			[ ! -f "$BINDIR/$arch/nfqws2ctl" ] || link_program nfq2 nfqws2ctl "$arch"
			[ ! -f "$BINDIR/$arch/blockprobe" ] || link_program probe blockprobe "$arch"
			exit 0
		fi
		echo "not complete: $BINDIR/$arch" >&2
		exit 1
	fi
done
echo "no compatible binaries found in $BINDIR" >&2
exit 1
