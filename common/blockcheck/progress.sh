# The line of progress, and colours. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2154 # variables go between the parts; A && B || C is meant

# Colours are for a terminal whose user sits there and does not refuse them (https://no-color.org).
colours_setup() {
	INK_GOOD='' INK_BAD='' INK_HEAD='' INK_END=''
	[ -t 1 ] && [ "$BATCH" != 1 ] && [ -z "$NO_COLOR" ] && [ "$TERM" != dumb ] || return 0
	INK_GOOD=$(printf '\033[32m') INK_BAD=$(printf '\033[31m') INK_HEAD=$(printf '\033[1m') INK_END=$(printf '\033[0m')
}

progress_setup() {
	if [ -z "$PROGRESS" ]; then
		PROGRESS=0
		[ -t 1 ] && [ -t 2 ] && PROGRESS=1
	fi
	PROGRESS_SHOWN=
}

progress_begin() {
	PROGRESS_TOTAL=0 PROGRESS_DONE=0 PROGRESS_FOUND=0 PROGRESS_SCOUTED=0
	[ "$PROGRESS" = 1 ] && PROGRESS_START=$(seconds_now)
	return 0
}

# What was tried before the scripts will be counted at its turn; only what was found is told already.
progress_again() {
	PROGRESS_SCOUTED=$PROGRESS_FOUND PROGRESS_FOUND=0 PROGRESS_DONE=0
}

progress_total() { # NUMBER
	PROGRESS_TOTAL=$1
}

progress_show() {
	local passed text found="$PROGRESS_FOUND" total
	[ "$PROGRESS" = 1 ] || return 0
	[ "$SIMULATE" = 1 ] && [ $((PROGRESS_DONE % 500)) != 0 ] && return 0
	[ "$found" -ge "$PROGRESS_SCOUTED" ] || found=$PROGRESS_SCOUTED
	[ -f "$WORK/expected" ] && read -r total <"$WORK/expected" && PROGRESS_TOTAL=$total
	passed=$(($(seconds_now) - PROGRESS_START))
	text="found so far: $found, tried: $PROGRESS_DONE"
	[ "$PROGRESS_TOTAL" -ge "$PROGRESS_DONE" ] && [ "$PROGRESS_TOTAL" -gt 0 ] && text="$text of about $PROGRESS_TOTAL"
	text="$text, $(duration $passed)"
	if [ "$PROGRESS_DONE" -gt 0 ] && [ "$PROGRESS_TOTAL" -gt "$PROGRESS_DONE" ] && [ -z "$SEARCH_LEVEL" ]; then
		text="$text, $(duration $((passed * (PROGRESS_TOTAL - PROGRESS_DONE) / PROGRESS_DONE))) left"
	fi
	printf '\r\033[K[ %s ]' "$text" >&2
	PROGRESS_SHOWN=1
}

progress_clear() {
	[ -n "$PROGRESS_SHOWN" ] && printf '\r\033[K' >&2
	PROGRESS_SHOWN=
}
