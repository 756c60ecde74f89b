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

# The library that the loader of programs does not find, in the words of both C libraries.
missing_library() { # PROGRAM
	# A script in its place may be a wrapper of somebody else, which is not to be called.
	head -c 4 "$1" | LC_ALL=C grep -q ELF || return 0
	"$1" --version 2>&1 </dev/null | sed -n -e 's/.*error while loading shared libraries: \([^ :]*\).*/\1/p' \
		-e 's/^Error loading shared library \([^ :]*\).*/\1/p' | head -n 1
}

# Does a program of a folder do what it is there for? ip2net has told that they are of this processor.
program_runs() { # ARCH NAME
	local missing
	missing=$(missing_library "$BINDIR/$1/$2")
	if [ -n "$missing" ]; then
		echo "$1: $2 needs the library $missing, which is not installed" >&2
		return 1
	fi
	if [ "$2" != mdig ] || runs_here "$BINDIR/$1/$2"; then
		return 0
	fi
	echo "$1: ip2net runs here, $2 does not" >&2
	return 1
}

all_run_here() { # ARCH
	local name
	runs_here "$BINDIR/$1/ip2net" || return 1
	for name in mdig nfqws2; do
		[ ! -f "$BINDIR/$1/$name" ] || program_runs "$1" "$name" || return 1
	done
}

link_more() { # FOLDER NAME ARCH: one that the others can do without
	[ -f "$BINDIR/$3/$2" ] && program_runs "$3" "$2" || return 0
	link_program "$@"
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
			link_more nfq2 nfqws2ctl "$arch"
			link_more probe blockprobe "$arch"
			exit 0
		fi
		echo "not complete: $BINDIR/$arch" >&2
		exit 1
	fi
done
echo "no compatible binaries found in $BINDIR" >&2
exit 1
