# Writing settings into the config, whose file is $ZAPRET_CONFIG. Sourced.
# shellcheck shell=dash

# Prints the assignment of a variable as it is to stand in the config.
config_assignment() { # NAME VALUE
	case $2 in
	'') printf '#%s=\n' "$1" ;;
	*[!A-Za-z0-9_./:,+=@%^-]*)
		printf '%s="%s"\n' "$1" "$(printf '%s\n' "$2" | sed 's/[\\"$`]/\\&/g')"
		;;
	*) printf '%s=%s\n' "$1" "$2" ;;
	esac
}

# The config that is being written; the one that is in force stays whole until this gets its name.
CONFIG_WRITTEN=

# For who is interrupted.
discard_written_config() {
	[ -z "$CONFIG_WRITTEN" ] || rm -f "$CONFIG_WRITTEN"
	CONFIG_WRITTEN=
}

# Puts the value of a variable into the config: in place of its assignment, else of a commented one, else
# at the end. A quoted value may have several lines.
write_config_var() { # NAME
	local wcv_value wcv_file wcv_line
	eval "wcv_value=\"\$$1\""
	wcv_line=$(config_assignment "$1" "$wcv_value")
	wcv_file=$(readlink -f "$ZAPRET_CONFIG")
	CONFIG_WRITTEN=$(mktemp "$wcv_file.XXXXXX") || return 1
	# A config that is closed to others stays closed.
	if cp -p "$wcv_file" "$CONFIG_WRITTEN" &&
		print_config_with "$1" "$wcv_line" "$wcv_file" >"$CONFIG_WRITTEN" && mv -f "$CONFIG_WRITTEN" "$wcv_file"; then
		CONFIG_WRITTEN=
		return 0
	fi
	discard_written_config
	return 1
}

print_config_with() { # NAME ASSIGNMENT CONFIG
	WCV_LINE=$2 awk -v name="$1" '
		# the number of the line where an assignment beginning in line i ends
		function last_line(i, lead, text, quote, start) {
			text = substr(line[i], length(lead name "=") + 1)
			quote = substr(text, 1, 1)
			if (quote != "\"" && quote != sprintf("%c", 39)) return i
			text = substr(text, 2)
			for (start = i; ; text = line[++i]) {
				if (i > start && lead != "" && substr(text, 1, 1) != "#") return i - 1
				if (quote == "\"") gsub(/\\./, "", text)
				if (index(text, quote) || i >= NR) return i
			}
		}
		{ line[NR] = $0 }
		END {
			for (i = 1; i <= NR; i++) {
				if (index(line[i], name "=") == 1) { at = i; lead = ""; i = last_line(i, "") }
				else if (index(line[i], "#" name "=") == 1 && !commented) commented = i
			}
			if (!at && commented) { at = commented; lead = "#" }
			end = at ? last_line(at, lead) : 0
			for (i = 1; i <= NR; i++) {
				if (i == at) print ENVIRON["WCV_LINE"]
				if (!at || i < at || i > end) print line[i]
			}
			if (!at) print ENVIRON["WCV_LINE"]
		}' "$3"
}
