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
		# Only the name of the script and the word "make" can stand here.
		exec su root -c "sh '$script' $*"
	fi
	echo "neither sudo nor su was found" >&2
	exit 2
}
