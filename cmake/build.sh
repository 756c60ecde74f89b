#!/bin/sh
# Configures and builds in build/PRESET, and shows how far it is: ninja's own line on a terminal,
# otherwise a line every 20 seconds.
# usage: build.sh PRESET [BUILD_PRESET | -t TARGET... | -c OPTION...]
#   BUILD_PRESET  a build preset of another name than PRESET
#   -t            these targets only
#   -c            further options for the configuration, before anything else
# What cmake and the compiler say is kept in build/logs/PRESET.build.log.
set -u

cd "$(dirname "$0")/.." || exit 1
usage() {
	sed -n 's/^# usage: //p' "$0" >&2
	exit 2
}
[ $# != 0 ] || usage
preset=$1 dir=build/$1 build_preset=$1 log=build/logs/$1.build.log options='' targets=''
shift
while [ $# != 0 ]; do
	case $1 in
	-c) options="$options $2"; shift ;;
	-t) shift; targets="--target $*"; break ;;
	-*) usage ;;
	*) build_preset=$1 ;;
	esac
	shift
done
mkdir -p build/logs

# CMake refuses a folder that another generator or another source tree has used.
value() { sed -n "s/^$1:[A-Z]*=//p" "$dir/CMakeCache.txt"; }
fresh=
if [ -f "$dir/CMakeCache.txt" ] &&
	{ [ "$(value CMAKE_GENERATOR)" != Ninja ] || [ "$(value CMAKE_HOME_DIRECTORY)" != "$PWD" ]; }; then
	if cmake --help | grep -q -e --fresh; then
		echo "$dir was configured by $(value CMAKE_GENERATOR) for $(value CMAKE_HOME_DIRECTORY): anew with Ninja"
		fresh=--fresh
	else
		echo "$dir was configured by $(value CMAKE_GENERATOR) for $(value CMAKE_HOME_DIRECTORY): please remove it" >&2
		exit 1
	fi
fi

# shellcheck disable=SC2086 # lists of words
cmake $fresh --preset "$preset" $options >"$log" 2>&1 || {
	cat "$log"
	echo "the configuration of $dir failed" >&2
	exit 1
}

if [ -t 1 ]; then
	# shellcheck disable=SC2086
	cmake --build --preset "$build_preset" $targets
	exit
fi

# A group of its own, since cmake dies of a signal without passing it on to ninja.
# shellcheck disable=SC2086
setsid cmake --build --preset "$build_preset" $targets >>"$log" 2>&1 &
pid=$!
trap 'kill -- -$pid 2>/dev/null' HUP INT TERM
seconds=0
while kill -0 $pid 2>/dev/null; do
	sleep 1
	seconds=$((seconds + 1))
	[ $((seconds % 20)) = 0 ] &&
		echo "    $dir: $(grep -o '^\[[0-9]*/[0-9]*\]' "$log" | tail -n 1) after $seconds s"
done
wait $pid && exit 0
grep -E -A5 '^FAILED|error:|warning:' "$log" | head -n 60
tail -n 15 "$log"
exit 1
