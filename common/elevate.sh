# Becoming root. Sourced.
# shellcheck shell=dash

# Goes on as root: by sudo or su the script is started again. Exit 2 when that is not possible.
require_root() { # SCRIPT ARGS...
	local script="$1"
	shift
	[ "$(id -u)" = 0 ] && return 0
	echo "root is required"
	if exists sudo; then
		exec sudo ${ZAPRET_TARGET:+"ZAPRET_TARGET=$ZAPRET_TARGET"} sh "$script" "$@"
	elif exists su; then
		# That shell gets the words as they are.
		# shellcheck disable=SC2016 # for that shell
		exec su -c 'exec sh "$0" "$@"' root "$script" "$@"
	fi
	echo "neither sudo nor su was found" >&2
	exit 2
}
