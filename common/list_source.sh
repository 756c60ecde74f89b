# Where lists come from: downloads, what is remembered of each source, how an update went. Sourced by def.sh.
# shellcheck shell=dash disable=SC2034 # variables are for the scripts that source this
#
# Theory of operation. Beside a downloaded list stands .NAME.source: the address it came from, how its server
# names this version, the checksums of what came and of the list, the settings that made it. While all of it
# fits, the server is only asked whether there is another version; what comes and is the same writes nothing.
# A list that was changed or damaged, or made of something else, is fetched whole. The texts of the server are
# kept as data: filtered, read with sed, given to curl in a file.

# --- what is remembered of a source -----------------------------------------------------------------

source_file() { # LIST
	printf '%s\n' "${1%/*}/.${1##*/}.source"
}

source_value() { # LIST NAME
	sed -n "s/^$2=//p" "$(source_file "$1")" 2>/dev/null | head -n 1
}

# What the content of a list depends on beside its source.
source_settings() {
	printf '%s\n' "1 $GZIP_LISTS $IP2NET_OPT4 $IP2NET_OPT6" | tr '\n' ' '
}

list_sum() { # LIST: checksum of its file, nothing without one
	if [ -f "$1.gz" ]; then
		md5f <"$1.gz"
	elif [ -f "$1" ]; then
		md5f <"$1"
	fi 2>/dev/null
}

# Is the list, as it lies there, what once came from this address?
source_fits() { # LIST URL
	local sum
	[ -f "$(source_file "$1")" ] || return 1
	sum=$(list_sum "$1")
	[ -n "$sum" ] && [ "$(source_value "$1" list)" = "$sum" ] && [ "$(source_value "$1" url)" = "$2" ] &&
		[ "$(source_value "$1" made)" = "$(source_settings)" ]
}

source_condition() { # LIST URL: prints the header lines that ask for another version only
	local value
	source_fits "$1" "$2" || return 0
	value=$(source_value "$1" etag)
	[ -z "$value" ] || printf '%s\n' "If-None-Match: $value"
	value=$(source_value "$1" modified)
	[ -z "$value" ] || printf '%s\n' "If-Modified-Since: $value"
}

# A line of the last response; texts that are long or strange are no version.
response_header() { # FILE NAME
	tr -d '\r\000' <"$1" | LC_ALL=C awk -v name="$2" '
		/^HTTP\// { value = "" }
		(at = index($0, ":")) && tolower(substr($0, 1, at - 1)) == name { value = substr($0, at + 1) }
		END {
			sub(/^[ \t]+/, "", value)
			if (length(value) <= 200 && value !~ /[^ -~]/) print value
		}'
}

source_note() { # LIST URL DOWNLOAD: the list was made of it
	local file
	file=$(source_file "$1")
	{
		printf '%s\n' "url=$2"
		if [ -f "$3.headers" ]; then
			printf '%s\n' "etag=$(response_header "$3.headers" etag)"
			printf '%s\n' "modified=$(response_header "$3.headers" last-modified)"
		fi
		printf '%s\n' "download=$(md5f <"$3" 2>/dev/null)" "list=$(list_sum "$1")" "made=$(source_settings)"
	} >"$file.new" && chmod 644 "$file.new" && mv -f "$file.new" "$file"
}

# --- download --------------------------------------------------------------------------------------

# Sets DOWNLOAD_SAME when the server has no other version. What may pass is tried again by curl itself, with
# growing pauses.
fetch_by_curl() { # URL FILE PROTOCOLS
	local code=0 quiet=-s
	[ ! -t 2 ] || quiet=-#
	curl "$quiet" -fSL ${CURL_INSECURE:+-k} --proto "=$3" --max-redirs 10 --connect-timeout 20 --max-time 600 --retry 3 \
		--max-filesize "$DOWNLOAD_MAX" -D "$2.headers" -w '%{http_code}' -o "$2" -H "@$2.condition" "$1" >"$2.code" ||
		code=$?
	if [ "$code" = 0 ] && [ -s "$2.condition" ] && [ "$(cat "$2.code")" = 304 ]; then
		DOWNLOAD_SAME=1
	fi
	return "$code"
}

# wget has no limit of the size, so the disk is protected here. Cutting off makes it fail.
fetch_by_wget() { # URL FILE
	local code=1
	{
		wget -q -T 60 ${CURL_INSECURE:+--no-check-certificate} -O - "$1"
		echo $? >"$2.code"
	} | head -c $((DOWNLOAD_MAX + 1)) >"$2"
	read -r code <"$2.code"
	return "${code:-1}"
}

# A list may come compressed; unpacked it has the same limit.
unpack_download() { # FILE
	is_gzip "$1" || return 0
	gunzip -c <"$1" 2>/dev/null | head -c $((DOWNLOAD_MAX + 1)) >"$1.plain"
	if [ "$(zzsize "$1.plain")" -gt "$DOWNLOAD_MAX" ]; then
		list_failed "list is too big: more than $DOWNLOAD_MAX bytes when unpacked"
	elif ! gunzip -t <"$1"; then
		list_failed "list is damaged"
	else
		mv -f "$1.plain" "$1"
		return
	fi
	rm -f "$1.plain"
	return 1
}

# Fetches a list. Certificates are checked (CURL_INSECURE=1 in config turns that off), the way is HTTPS
# to the end unless it begins with HTTP, time and size have limits. Leaves FILE, plain, only when everything
# came and it is big enough. With LIST: sets DOWNLOAD_SAME=1 when it is what the list was made of.
download() { # URL FILE MIN_BYTES [LIST]
	local size code protocols=https
	DOWNLOAD_SAME=0
	echo "downloading $1"
	case $1 in
	[Hh][Tt][Tt][Pp]:*)
		protocols=http,https
		echo "WARNING: $1 is not encrypted: whoever stands in the way can change the list" >&2
		;;
	esac
	rm -f "$2" "$2.headers"
	: >"$2.condition"
	[ -z "$4" ] || source_condition "$4" "$1" >"$2.condition"
	if exists curl; then
		fetch_by_curl "$1" "$2" "$protocols"
		code=$?
	elif exists wget; then
		fetch_by_wget "$1" "$2"
		code=$?
	else
		list_failed "neither curl nor wget is installed"
		return 1
	fi
	[ "$DOWNLOAD_SAME" = 1 ] && return 0
	size=$(zzsize "$2")
	if [ "$code" != 0 ]; then
		list_failed "list download failed: $1"
	elif [ "$size" -lt "$3" ]; then
		list_failed "list is too small: $size bytes, at least $3 expected. It can not be a good one."
	elif [ "$size" -gt "$DOWNLOAD_MAX" ]; then
		list_failed "list is too big: $size bytes"
	elif unpack_download "$2"; then
		if [ -n "$4" ] && source_fits "$4" "$1" && [ "$(source_value "$4" download)" = "$(md5f <"$2")" ]; then
			DOWNLOAD_SAME=1
		fi
		return 0
	fi
	rm -f "$2"
	return 1
}

# A download whose filtered content is much smaller is no list but some other page.
enough_left() { # FILTERED MIN_BYTES
	local size
	size=$(zzsize "$1")
	[ "$size" -ge $(($2 / 2)) ] && return 0
	list_failed "the list holds hardly anything of use ($size bytes of at least $(($2 / 2))). The old one stays."
	return 1
}

# --- how an update went -----------------------------------------------------------------------------

# For the status of the update that runs this script, if one does.
list_report() { # updated|unchanged|failed TEXT
	[ -z "$LIST_REPORT" ] || printf '%s\n' "$*" >>"$LIST_REPORT"
}

list_failed() { # TEXT
	printf '%s\n' "$1" >&2
	list_report failed "$1"
}

list_warning() { # TEXT
	printf '%s\n' "WARNING: $1" >&2
}

list_unchanged() { # LIST
	echo "${1##*/} is up to date"
	list_report unchanged "${1##*/}"
}

list_updated() { # LIST URL DOWNLOAD
	source_note "$1" "$2" "$3"
	list_report updated "${1##*/} $(zzsize "$1") bytes"
}

update_status_file() {
	printf '%s\n' "$IPSET_RW_DIR/.update-status"
}

# Others look into it, too.
make_run_folder() {
	(umask 022 && mkdir -p "$ZAPRET_RUN" 2>/dev/null)
}

# Programs look for it here; what is in memory has to be put there again.
publish_update_status() {
	[ -f "$(update_status_file)" ] && make_run_folder || return 0
	(
		umask 022
		cp "$(update_status_file)" "$ZAPRET_RUN/list-update.new"
	) && mv -f "$ZAPRET_RUN/list-update.new" "$ZAPRET_RUN/list-update"
}
