# Texts: shell words, JSON. Sourced by blockcheck2.sh.
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

# json(text) for programs of awk: a line as what stands between the quotes of a JSON string.
# shellcheck disable=SC2016 # of awk
JSON_AWK='
	function json(t,    i, n, c, all) {
		if (t !~ /[\001-\037\\"]/) return t
		n = length(t)
		for (i = 1; i <= n; i++) {
			c = substr(t, i, 1)
			all = all (c in json_escape ? json_escape[c] : c)
		}
		return all
	}
	BEGIN {
		for (json_i = 1; json_i < 32; json_i++) json_escape[sprintf("%c", json_i)] = sprintf("\\u%04x", json_i)
		json_escape["\""] = "\\\""; json_escape["\\"] = "\\\\"; json_escape["\t"] = "\\t"
	}'

# JSON_STR becomes a JSON string.
json_str() { # TEXT
	case $1 in
	*[!A-Za-z0-9\ _=:,.@%/+#\<\>\(\)\'-]*)
		JSON_STR=$(printf '%s' "$1" | LC_ALL=C awk "$JSON_AWK"'{ printf "%s%s", (NR > 1 ? "\\n" : ""), json($0) }')
		JSON_STR="\"$JSON_STR\""
		;;
	*) JSON_STR="\"$1\"" ;;
	esac
}

json_array() { # TEXTS...: JSON_ARRAY becomes an array of strings
	local text
	JSON_ARRAY=
	for text; do
		json_str "$text"
		JSON_ARRAY="$JSON_ARRAY${JSON_ARRAY:+,}$JSON_STR"
	done
	JSON_ARRAY="[$JSON_ARRAY]"
}

seconds_now() {
	date +%s
}

duration() { # SECONDS: prints 1:02:03
	printf '%u:%02u:%02u' $(($1 / 3600)) $(($1 / 60 % 60)) $(($1 % 60))
}
