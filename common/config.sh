# Reading the config. Sourced before everything else, so it needs nothing.
# shellcheck shell=dash

# Sources the config FILE, if it is there. A config saved with Windows line ends would give every value an
# invisible character at its end, so nothing is begun with it; only what has to be undone may be undone.
load_config_file() { # FILE [lenient]
	[ -f "$1" ] || return 0
	if has_windows_lines "$1"; then
		if [ "$2" = lenient ]; then
			echo "WARNING: $1 has Windows line ends (CR LF)" >&2
			eval "$(tr -d '\r' <"$1")"
			return 0
		fi
		printf '%s\n' "ERROR: $1 has Windows line ends (CR LF). Nothing was done. To convert it :" \
			"  sed -i 's/\\r\$//' '$1'" >&2
		exit 1
	fi
	# shellcheck disable=SC1090 # the user's file
	. "$1"
}

has_windows_lines() { # FILE
	LC_ALL=C grep -q "$(printf '\r')\$" "$1"
}
