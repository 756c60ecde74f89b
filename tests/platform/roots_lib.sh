# What cross.sh and roots.sh share: Debian roots made by debootstrap, kept outside of the tree. Sourced.
# Callers define `die MESSAGE`.

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
