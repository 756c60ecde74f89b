# Texts: shell words, times. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant

TAB=$(printf '\t')
NL='
'

# QUOTED becomes the words as one line that a shell reads back as the same words. A blank line when
# there is no such line.
words_quote() { # WORDS...
	local word
	QUOTED=
	for word; do
		word_quote "$word"
		QUOTED="$QUOTED${QUOTED:+ }$WORD"
	done
	case $QUOTED in
	*"$NL"*) QUOTED= ;;
	esac
}

word_quote() { # WORD: WORD becomes its quoted form
	case $1 in
	'' | *[!A-Za-z0-9_=:,.@%/+-]*)
		WORD=$1
		contains "$1" "'" && WORD=$(replace_str "'" "'\\''" "$1")
		WORD="'$WORD'"
		;;
	*) WORD=$1 ;;
	esac
}

# ASCII becomes the text with "?" for each byte that is none: what a stranger wrote may be no text in any encoding.
ascii_only() { # TEXT
	ASCII=$1
	case $1 in
	*[!A-Za-z0-9\ _=:,.@%/+#\(\)\'-]*) ASCII=$(printf '%s' "$1" | LC_ALL=C tr '\200-\377' '?') ;;
	esac
}

seconds_now() {
	date +%s
}

duration() { # SECONDS: prints 1:02:03
	printf '%u:%02u:%02u' $(($1 / 3600)) $(($1 / 60 % 60)) $(($1 % 60))
}
