# Questions of the installer. Without an answer (empty line, end of input) the default is taken; with INSTALL_YES=1
# nothing is read. Sourced.
# shellcheck shell=dash disable=SC2034 # variables used through eval

read_answer() { # VAR
	local ra_line=''
	if [ "$INSTALL_YES" = 1 ]; then
		echo
	else
		IFS= read -r ra_line || echo
	fi
	eval "$1=\$ra_line"
}

ask_yes_no() { # DEFAULT(Y|N|1|0) TEXT: yes?
	local default=N answer
	case $1 in
	1 | [yY]*) default=Y ;;
	esac
	printf '%s (default : %s) (Y/N) ? ' "$2" "$default"
	read_answer answer
	case ${answer:-$default} in
	[yY]*) return 0 ;;
	esac
	return 1
}

# For what somebody who calls the program with --yes has said already.
ask_to_continue() { # TEXT
	[ "$INSTALL_YES" = 1 ] || ask_yes_no N "$1"
}

ask_yes_no_var() { # VAR TEXT: VAR becomes 1 or 0, its value is the default
	local aynv_default
	eval "aynv_default=\"\$$1\""
	if ask_yes_no "${aynv_default:-0}" "$2"; then
		eval "$1=1"
	else
		eval "$1=0"
	fi
}

# VAR becomes one of the words of LIST. The default is its value if that is one of them, else DEFAULT. With `keep`
# another value, which the user must have written, stays without an answer.
ask_list() { # VAR LIST DEFAULT [keep]
	local al_now al_item al_number=0 al_answer
	eval "al_now=\"\$$1\""
	if ! find_str_in_list "$al_now" "$2" && { [ -z "$al_now" ] || [ "$4" != keep ]; }; then
		al_now=$3
	fi
	for al_item in $2; do
		al_number=$((al_number + 1))
		echo "$al_number : $al_item"
	done
	printf 'your choice (default : %s) : ' "$al_now"
	read_answer al_answer
	if is_number "$al_answer" && [ "$al_answer" -ge 1 ] && [ "$al_answer" -le "$al_number" ]; then
		# shellcheck disable=SC2086 # a list of words
		al_now=$(extract_arg "$al_answer" $2)
	elif find_str_in_list "$al_answer" "$2"; then
		al_now=$al_answer
	fi
	echo "selected : $al_now"
	eval "$1=\$al_now"
}
