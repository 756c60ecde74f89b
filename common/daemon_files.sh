# The options of a running daemon as a file that can be read again, its control socket, and the notes of what
# was started. Sourced.
# shellcheck shell=dash disable=SC2034 # variables of other parts

# Everything lives here as long as the system does. nfqws2ctl looks for sockets in both places.
if [ -z "$ZAPRET_RUN" ]; then
	ZAPRET_RUN=/run/zapret2
	[ -d /run ] || ZAPRET_RUN=/var/run/zapret2
fi

# --- options ------------------------------------------------------------------------------------

# Does the program know control sockets? It is looked at and not asked: what stands there may be a wrapper of
# somebody else, which does who knows what when it is called.
knows_control() { # BINARY
	local kc_path
	kc_path=$(whichq "$1") && LC_ALL=C grep -q control-group "$kc_path"
}

# Its options go into a file, and it gets a socket.
has_daemon_file() { # BINARY QNUM
	[ "${NFQWS2_CONTROL:-1}" = 1 ] && [ "$1" = "$NFQWS2" ] && is_number "$2" && knows_control "$1"
}

daemon_file() { # QNUM
	printf '%s\n' "$ZAPRET_RUN/$1.conf"
}

daemon_socket() { # QNUM
	printf '%s\n' "$ZAPRET_RUN/nfqws2-$1.sock"
}

# A word as the program's reader of files takes it, with nothing that is expanded.
quote_word() { # WORD
	case $1 in
	'' | *[!A-Za-z0-9_=:,./@+%-]*) printf "'%s'\n" "$(replace_str "'" "'\\''" "$1")" ;;
	*) printf '%s\n' "$1" ;;
	esac
}

print_daemon_file() { # QNUM WORDS...
	local pdf_word pdf_has=''
	echo "# Written by the service, see $ZAPRET_CONFIG"
	for pdf_word in "$@"; do
		case $pdf_word in
		--control | --control=*) pdf_has=1 ;;
		esac
	done
	if [ -z "$pdf_has" ]; then
		echo "--control=$(daemon_socket "$1")"
		[ -z "$NFQWS2_CONTROL_GROUP" ] || quote_word "--control-group=$NFQWS2_CONTROL_GROUP"
	fi
	shift
	for pdf_word; do
		quote_word "$pdf_word"
	done
}

# Writes what the daemon's file shall be.
write_daemon_file() { # FILE QNUM WORDS...
	local wdf_file="$1"
	shift
	(
		umask 022
		mkdir -p "$ZAPRET_RUN" && print_daemon_file "$@" >"$wdf_file.new" && mv -f "$wdf_file.new" "$wdf_file"
	)
}

# Sets DAEMON_COMMAND_FILE to the file that was written for the daemon, or to nothing.
make_daemon_file() { # BINARY WORDS...
	local mdf_binary="$1" mdf_queue
	shift
	DAEMON_COMMAND_FILE=
	mdf_queue=$(queue_of_options "$@")
	if ! has_daemon_file "$mdf_binary" "$mdf_queue"; then
		# One of an earlier start would be taken for this daemon's.
		! is_number "$mdf_queue" || rm -f "$(daemon_file "$mdf_queue")"
		return 1
	fi
	if ! write_daemon_file "$(daemon_file "$mdf_queue")" "$mdf_queue" "$@"; then
		echo "WARNING: $ZAPRET_RUN cannot be written to, the daemon gets no control socket" >&2
		return 1
	fi
	DAEMON_COMMAND_FILE=$(daemon_file "$mdf_queue")
}

queue_of_options() { # WORDS: prints the number of --qnum
	local word
	for word; do
		case $word in
		--qnum=*) printf '%s\n' "${word#*=}" ;;
		esac
	done | tail -n 1
}

# --- notes ----------------------------------------------------------------------------------------

# What was started: a file daemon-NUM with the binary and the queue, gone when it was stopped.

# Panels look into it and into what is in it, whatever the umask of the one who starts the service.
write_run_file() { # NAME LINES...
	(
		umask 022
		mkdir -p "$ZAPRET_RUN" || exit
		wrf_file=$ZAPRET_RUN/$1
		shift
		printf '%s\n' "$@" >"$wrf_file"
	) 2>/dev/null
}

has_run_file() { # NAME
	[ -f "$ZAPRET_RUN/$1" ]
}

remove_run_file() { # NAME
	rm -f "$ZAPRET_RUN/$1"
}

note_started() { # NUM BINARY QNUM
	write_run_file "daemon-$1" "$2" "$3"
	return 0
}

note_stopped() { # NUM
	remove_run_file "daemon-$1"
}

was_started() { # NUM
	has_run_file "daemon-$1"
}

# Calls FUNC NUM BINARY QNUM for each daemon that was started.
for_each_started() { # FUNC
	local fes_note fes_binary fes_queue
	for fes_note in "$ZAPRET_RUN"/daemon-*; do
		[ -f "$fes_note" ] || continue
		fes_binary=
		fes_queue=
		{
			read -r fes_binary
			read -r fes_queue
		} <"$fes_note"
		"$1" "${fes_note##*/daemon-}" "$fes_binary" "$fes_queue"
	done
}

# --- asking ---------------------------------------------------------------------------------------

# nfqws2ctl, where it is installed.
control_program() {
	whichq "${NFQWS2CTL:-${NFQWS2%/*}/nfqws2ctl}" || whichq nfqws2ctl
}

ask_daemon() { # QNUM WORDS...
	local ad_program ad_socket
	ad_program=$(control_program) || return 2
	ad_socket=$(socket_of_daemon "$1")
	[ -S "$ad_socket" ] || return 2
	shift
	"$ad_program" -s "$ad_socket" "$@"
}

# The user may have named another one.
socket_of_daemon() { # QNUM
	local sod_path
	sod_path=$(sed -n "s/^'\{0,1\}--control=\([^']*\)'\{0,1\}\$/\1/p" "$(daemon_file "$1")" 2>/dev/null | tail -n 1)
	printf '%s\n' "${sod_path:-$(daemon_socket "$1")}"
}
