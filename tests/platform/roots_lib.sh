# What cross.sh and roots.sh share: Debian roots made by debootstrap, kept outside of the tree, the cache
# of their compilers, and the count of what was tried. Sourced at the top of the tree.

# shellcheck disable=SC2034 # read by the scripts that source this
tree=$PWD
script=${0##*/}
say() { printf '==> %s\n' "$*"; }
die() { printf '%s: %s\n' "$script" "$*" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

passed=0 failed=0 skipped=0
finish() { # prints the last line; the exit code
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}/nfqws2/roots
mirror=${NFQWS2_DEBIAN_MIRROR:-http://deb.debian.org/debian}

need() { # $1 = command, $2 = package
	PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null && return
	[ -x "$(command -v apt-get)" ] || die "$1 is missing (Debian's package $2)"
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2" >/dev/null 2>&1 ||
		{ apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -q --no-install-recommends "$2" >/dev/null; } ||
		die "$1 is missing and the package $2 could not be installed"
}

prepare_host() {
	[ "$(id -u)" = 0 ] || die "needs root, for debootstrap and chroot"
	need debootstrap debootstrap
	need unshare util-linux
	mkdir -p "$cache/ccache" build/logs
}

# Words for a shell inside, where the tree is bound to /src and the compiler cache to /ccache.
# shellcheck disable=SC2034 # read by the scripts that source this
with_ccache="export CCACHE_DIR=/ccache CCACHE_BASEDIR=/src CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=2G"
# shellcheck disable=SC2034
ccache_bind=$cache/ccache:/ccache

# What the entries of ctest said, short: names with results, failed and skipped cases, counts.
tell_ctest() { # $1 = log of ctest -V
	sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: (.*)/    \1/p; s/^[0-9]+: ((FAILED|SKIPPED) .*)/\1/p
		s/^[0-9]+: ([0-9]+ passed, .* skipped)$/    \1/p' "$1"
}

# Runs a command inside of a root. Mounts are in a namespace of their own: they go when it ends.
# $1 = root, $2 = "source:folder ..." to be bound, rest = command. `/` of nothing else is reachable.
inside() {
	inside_root=$1 inside_binds=$2
	shift 2
	cp -L /etc/resolv.conf "$inside_root/etc/resolv.conf"
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount --pid --fork --kill-child sh -c '
		root=$1 binds=$2
		shift 2
		mount --bind "$root" "$root" && mount -t proc proc "$root/proc" &&
			mount --rbind /sys "$root/sys" && mount --rbind /dev "$root/dev" || exit 1
		for bind in $binds; do
			mkdir -p "$root/${bind#*:}"
			mount --bind "${bind%%:*}" "$root/${bind#*:}" || exit 1
		done
		exec chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			DEBIAN_FRONTEND=noninteractive "$@"' sh "$inside_root" "$inside_binds" "$@"
}

# The path of a minimal root of a release, made if need be.
base_root() { # $1 = release
	base=$cache/$1
	[ -d "$base" ] || {
		rm -rf "$base.new"
		mkdir -p "$cache"
		debootstrap --variant=minbase "$1" "$base.new" "$mirror" >"$base.log" 2>&1 ||
			{ tail -n 5 "$base.log" >&2; die "debootstrap of $1 failed, see $base.log"; }
		printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n' \
			>"$base.new/etc/apt/apt.conf.d/99small"
		rm -rf "$base.new/var/cache/apt/archives"/*.deb
		mv "$base.new" "$base"
	}
}
