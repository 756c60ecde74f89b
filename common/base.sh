# Shell helpers that know no setting, path or rule of the service. Sourced. Custom scripts may use those that
# api.sh names.
# shellcheck shell=dash disable=SC2034 # variables are for the scripts that source this

# --- programs and functions ---------------------------------------------------------------------

# Prints the path of a program like which(1), which not every system has.
which() {
	case $1 in
	*/*)
		[ -f "$1" ] && [ -x "$1" ] && printf '%s\n' "$1"
		return
		;;
	esac
	local which_ifs="$IFS" which_dir
	IFS=:
	for which_dir in $PATH; do
		IFS=$which_ifs
		if [ -f "${which_dir:-.}/$1" ] && [ -x "${which_dir:-.}/$1" ]; then
			printf '%s\n' "${which_dir:-.}/$1"
			return 0
		fi
	done
	IFS=$which_ifs
	return 1
}

whichq() { # PROG: its path, or nothing
	which "$1" 2>/dev/null
}

exists() { # PROG: can it be run?
	which "$1" >/dev/null 2>&1
}

exist_all() { # PROG...
	while [ -n "$1" ]; do
		exists "$1" || return 1
		shift
	done
	return 0
}

existf() { # FUNC: is it a shell function?
	case $(type "$1" 2>/dev/null) in
	*function*) return 0 ;;
	esac
	return 1
}

on_off_function() { # ON OFF MODE ARGS...: ON when MODE is 1, else OFF
	local on="$1" off="$2" mode="$3"
	shift 3
	if [ "$mode" = 1 ]; then
		"$on" "$@"
	else
		"$off" "$@"
	fi
}

# --- strings ------------------------------------------------------------------------------------

contains() { # STR SUB
	case $1 in
	*"$2"*) return 0 ;;
	esac
	return 1
}

starts_with() { # STR PREFIX
	case $1 in
	"$2"*) return 0 ;;
	esac
	return 1
}

extract_arg() { # N ARGS...: prints argument N, counted from 1
	local n="$1"
	shift "$n"
	printf '%s\n' "$1"
}

find_str_in_list() { # S LIST: is S one of the words of LIST?
	local what="$1" word
	[ -n "$what" ] || return 1
	shift
	# shellcheck disable=SC2048,SC2086 # a list of words
	for word in $*; do
		[ "$word" = "$what" ] && return 0
	done
	return 1
}

trim() { # stdin without blanks around each line
	sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//'
}

split_by_separator() { # STR SEP V1 V2: what stands before and after the first SEP
	case $1 in
	*"$2"*)
		eval "$3=\${1%%\"\$2\"*}"
		eval "$4=\${1#*\"\$2\"}"
		;;
	*)
		eval "$3=\$1"
		eval "$4="
		;;
	esac
}

tolower() { # STR...
	printf '%s\n' "$*" | tr 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' 'abcdefghijklmnopqrstuvwxyz'
}

replace_char() { # A B STR...: every character A becomes B
	local a="$1" b="$2"
	shift 2
	printf '%s\n' "$*" | tr "$a" "$b"
}

# Every A becomes B. Nothing has a special meaning.
replace_str() { # A B STR...
	local a="$1" b="$2" rest result=
	shift 2
	rest="$*"
	if [ -n "$a" ]; then
		while contains "$rest" "$a"; do
			result="$result${rest%%"$a"*}$b"
			rest=${rest#*"$a"}
		done
	fi
	printf '%s\n' "$result$rest"
}

append_separator_list() { # VAR SEP QUOTE ITEMS...
	local asl_var="$1" asl_sep="$2" asl_quote="$3" asl_value asl_item
	shift 3
	eval "asl_value=\"\$$asl_var\""
	for asl_item; do
		asl_value="${asl_value:+$asl_value$asl_sep}$asl_quote$asl_item$asl_quote"
	done
	eval "$asl_var=\$asl_value"
}

make_separator_list() { # VAR SEP QUOTE ITEMS...
	eval "$1="
	append_separator_list "$@"
}

make_comma_list() { # VAR ITEMS...
	local mcl_var="$1"
	shift
	make_separator_list "$mcl_var" , '' "$@"
}

make_quoted_comma_list() { # VAR ITEMS...
	local mcl_var="$1"
	shift
	make_separator_list "$mcl_var" , '"' "$@"
}

unique() { # ITEMS...: the words without repetition, in order
	local seen='' word
	# shellcheck disable=SC2048,SC2086 # a list of words
	for word in $*; do
		find_str_in_list "$word" "$seen" || seen="${seen:+$seen }$word"
	done
	printf '%s\n' "$seen"
}

# Calls GETTER V ITEM for each item; VAR becomes the list of what the calls left in V.
call_for_multiple_items() { # GETTER VAR ITEMS
	local cmi_getter="$1" cmi_var="$2" cmi_item cmi_value cmi_all=''
	shift 2
	# shellcheck disable=SC2048,SC2086 # a list of words
	for cmi_item in $*; do
		cmi_value=
		"$cmi_getter" cmi_value "$cmi_item"
		[ -n "$cmi_value" ] && cmi_all="${cmi_all:+$cmi_all }$cmi_value"
	done
	eval "$cmi_var=\$cmi_all"
}

is_number() { # STR: decimal digits only
	case $1 in
	'' | *[!0-9]*) return 1 ;;
	esac
	return 0
}

# --- numbers ------------------------------------------------------------------------------------

calc() { # EXPR: integer arithmetic
	echo $(($*))
}

random() { # MIN MAX, both included
	local r
	r=$(od -An -N4 -tu4 /dev/urandom 2>/dev/null | tr -d ' \n')
	[ -n "$r" ] || r=$(hexdump -n 4 -e '1/4 "%u"' /dev/urandom 2>/dev/null)
	is_number "$r" || r=$(awk 'BEGIN { srand(); print int(rand() * 1000000) }')
	echo $((r % ($2 - $1 + 1) + $1))
}

# Gives VAR the next number of a pool, unless it has one. COUNTER keeps the last number given.
alloc_num() { # COUNTER VAR MIN MAX
	local an_next an_now
	eval "an_now=\"\$$2\""
	[ -n "$an_now" ] && return 0
	eval "an_next=\"\$$1\""
	an_next=$((${an_next:-$(($3 - 1))} + 1))
	[ "$an_next" -gt "$4" ] && an_next=$3
	eval "$1=\$an_next"
	eval "$2=\$an_next"
}

# --- files, processes, system -------------------------------------------------------------------

md5f() { # stdin: hexadecimal digest
	if exists md5sum; then
		md5sum | cut -d' ' -f1
	else
		md5 -q
	fi
}

dir_is_not_empty() { # DIR
	[ -d "$1" ] && [ -n "$(ls -A "$1" 2>/dev/null)" ]
}

is_linked_to_busybox() { # PROG
	local path
	path=$(whichq "$1") || return 1
	path=$(readlink -f "$path" 2>/dev/null)
	[ "${path##*/}" = busybox ]
}

get_dir_inode() { # DIR, or a link to one
	local line
	line=$(ls -di "$1/." 2>/dev/null) || return 1
	printf '%s\n' "$line" | trim | cut -d' ' -f1
}

process_exists() { # NAME...: does a process of one of these names run?
	local name comm
	for name; do
		for comm in /proc/[0-9]*/comm; do
			[ -r "$comm" ] && [ "$(cat "$comm" 2>/dev/null)" = "$name" ] && return 0
		done
	done
	return 1
}

signal_by_name() { # SIGNAL NAME...: like killall, which not every system has
	local signal="$1" name comm pid
	shift
	for comm in /proc/[0-9]*/comm; do
		read -r name 2>/dev/null <"$comm" || continue
		if find_str_in_list "$name" "$*"; then
			pid=${comm#/proc/}
			kill "-$signal" "${pid%/comm}" 2>/dev/null
		fi
	done
	return 0
}

linux_min_version() { # MAJ MIN
	local release major minor
	release=$(uname -r)
	major=${release%%.*}
	minor=${release#*.}
	minor=${minor%%[!0-9]*}
	is_number "$major" || return 1
	[ "$major" -gt "$1" ] || { [ "$major" = "$1" ] && [ "${minor:-0}" -ge "$2" ]; }
}

ram_kb() { # total memory
	sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null
}

# --- sleeping less than a second ------------------------------------------------------------------

# FSLEEP: 1 sleep, 2 busybox usleep, 3 read -t, 4 ucode, 5 lua with nixio, 0 whole seconds only
fsleep_setup() {
	[ -n "$FSLEEP" ] && return 0
	if sleep 0.001 2>/dev/null; then
		FSLEEP=1
	elif busybox usleep 1 2>/dev/null; then
		FSLEEP=2
	elif exists bash; then
		FSLEEP=3
	elif exists ucode && ucode -e 'sleep(1)' 2>/dev/null; then
		FSLEEP=4
	elif exists lua && lua -e 'require "nixio"' 2>/dev/null; then
		FSLEEP=5
	else
		FSLEEP=0
	fi
}

msleep() { # MS
	fsleep_setup
	case $FSLEEP in
	1) sleep "$(($1 / 1000)).$(printf '%03u' $(($1 % 1000)))" ;;
	2) busybox usleep "${1}000" ;;
	3) bash -c "read -r -t $(($1 / 1000)).$(printf '%03u' $(($1 % 1000))) x <> <(:)" 2>/dev/null ;;
	4) ucode -e "sleep($1)" ;;
	5) lua -e "require 'nixio'.nanosleep($(($1 / 1000)), $(($1 % 1000))000000)" ;;
	*) sleep $((($1 + 999) / 1000)) ;;
	esac
}

minsleep() {
	msleep 100
}

# --- messages -----------------------------------------------------------------------------------

# Is this where errors go the journal of systemd? It takes a priority before each line.
errors_go_to_journal() {
	[ -n "$JOURNAL_STREAM" ] && [ "$(stat -L -c %d:%i /proc/self/fd/3 3>&2 2>/dev/null)" = "$JOURNAL_STREAM" ]
}

# A part of the work failed: the rest goes on, the exit code tells.
zapret_failed() { # TEXT
	ZAPRET_FAILED=1
	if errors_go_to_journal; then
		echo "<3>ERROR: $*" >&2
	else
		echo "ERROR: $*" >&2
	fi
	return 1
}
