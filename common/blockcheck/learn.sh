# What the program shall find out by itself: the best strategies of each protocol below `learn`. Sourced by
# blockcheck2.sh.
# shellcheck shell=dash disable=SC2034,SC2154 # variables go between the parts

LEARN_BEST=4

# Of each protocol the best strategies in the order of report_options, each with other functions than those before:
# what a box learns to stop takes near copies with it. What acts before the name is known is left out.
report_learn() {
	[ -s "$WORK/works" ] || return 0
	awk -F '\t' -v http="$HTTP_PORT" -v https="$HTTPS_PORT" -v quic="$QUIC_PORT" -v most="$LEARN_BEST" "$WORKS_AWK"'
		function functions(t,    words, count, i, found) {
			count = split(t, words, " ")
			for (i = 1; i <= count; i++)
				if (sub(/^--lua-desync=/, "", words[i])) {
					sub(/:.*/, "", words[i])
					found = found "+" words[i]
				}
			return found
		}
		# Ranges and payloads hold until they are changed, so each strategy begins with the defaults. What loads or
		# names something is said once.
		function numbered(t, number,    words, count, i, line) {
			line = "  --in-range=x --out-range=a --payload=all"
			count = split(t, words, " ")
			for (i = 1; i <= count; i++) {
				if (words[i] ~ /^--lua-desync=/) words[i] = words[i] ":strategy=" number
				else if (words[i] !~ /^--(payload|in-range|out-range)=/) {
					if (words[i] in said) continue
					said[words[i]] = 1
				}
				line = line " " words[i]
			}
			return line "\n"
		}
		!acts_early($6) { note_line() }
		END {
			range[1] = range[2] = "--in-range=-s5556 --out-range=-s34228"; range[3] = "--in-range=-n5 --out-range=-n10"
			for (c = 1; c <= 3; c++) {
				count = 0; lines = ""
				while (count < most) {
					best = ""
					for (i = 1; i <= n; i++) {
						id = order[i]
						if (kind[id] != c || ((c, functions(text[id])) in used)) continue
						if (best == "" || better(id, best)) best = id
					}
					if (best == "") break
					used[c, functions(text[best])] = 1
					lines = lines numbered(text[best], ++count)
				}
				if (!count) continue
				if (count > 1) several = 1
				out = out (out == "" ? "" : "--new\n") filter[c] " --filter-l7=" name[c] " " list[c] " " range[c] \
					" --lua-desync=learn:key=" name[c] "\n" lines
			}
			# Nothing to learn where there is but one.
			if (several) print out
		}' "$WORK/works" >"$WORK/learn"
	[ -s "$WORK/learn" ] || return 0
	echo '* NFQWS2_OPT that learns, ready to paste into config: the best strategies of different kinds, chosen for each host'
	echo
	printf 'NFQWS2_OPT="\n%s\n"\n\n' "$(cat "$WORK/learn")"
}
