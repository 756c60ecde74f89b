# What the list scripts share. Sourced; EXEDIR is the folder of the script.
# shellcheck shell=dash disable=SC2034 # variables are for the scripts that source this
#
# Nothing that comes from a list or from the network is ever evaluated or put into a command: it is
# filtered to what an address or a name may look like, and travels on stdin. A list is made in a
# temporary folder of its own and moved into place when it is complete.

ZAPRET_BASE=${ZAPRET_BASE:-$(cd "$EXEDIR/.." && pwd)}
# shellcheck source=/dev/null
[ -f "$ZAPRET_BASE/common/paths.sh" ] && . "$ZAPRET_BASE/common/paths.sh"
ZAPRET_RW=${ZAPRET_RW:-"$ZAPRET_BASE"}
ZAPRET_CONFIG=${ZAPRET_CONFIG:-"$ZAPRET_RW/config"}
export ZAPRET_BASE ZAPRET_RW ZAPRET_CONFIG
# shellcheck source=/dev/null
. "$ZAPRET_BASE/common/config.sh"
load_config_file "$ZAPRET_CONFIG" "$CONFIG_LENIENT"
for def_part in base fwtype list_source; do
	# shellcheck source=/dev/null
	. "$ZAPRET_BASE/common/$def_part.sh"
done

IPSET_RW_DIR="$ZAPRET_RW/ipset"
TMPDIR=${TMPDIR:-/tmp}
export TMPDIR
GZIP_LISTS=${GZIP_LISTS:-1}
# bytes of a downloaded list
DOWNLOAD_MAX=${DOWNLOAD_MAX:-134217728}
SET_MAXELEM=${SET_MAXELEM:-262144}
SET_MAXELEM_EXCLUDE=${SET_MAXELEM_EXCLUDE:-65536}
IPSET_OPT=${IPSET_OPT:-"hashsize 262144 maxelem $SET_MAXELEM"}
IPSET_OPT_EXCLUDE=${IPSET_OPT_EXCLUDE:-"hashsize 1024 maxelem $SET_MAXELEM_EXCLUDE"}
IPFW_TABLE_OPT=${IPFW_TABLE_OPT:-algo addr:radix}
IPFW_TABLE_OPT_EXCLUDE=${IPFW_TABLE_OPT_EXCLUDE:-algo addr:radix}
MDIG=${MDIG:-"$ZAPRET_BASE/mdig/mdig"}
IP2NET=${IP2NET:-"$ZAPRET_BASE/ip2net/ip2net"}
IP2NET_OPT4=${IP2NET_OPT4:---prefix-length=22-30 --v4-threshold=3/4}
IP2NET_OPT6=${IP2NET_OPT6:---prefix-length=56-64 --v6-threshold=5}
ZAPRET_NFT_TABLE=${ZAPRET_NFT_TABLE:-zapret2}
ZAPRET_FAILED=0
# how it is told that DNS does not work
DNS_FAILED=list_failed
if [ -z "$ZAPRET_RUN" ]; then
	ZAPRET_RUN=/run/zapret2
	[ -d /run ] || ZAPRET_RUN=/var/run/zapret2
fi

ZIPSET=zapret
ZIPSET6=zapret6
ZIPLIST="$IPSET_RW_DIR/zapret-ip.txt"
ZIPLIST6="$IPSET_RW_DIR/zapret-ip6.txt"
ZIPLIST_EXCLUDE="$IPSET_RW_DIR/zapret-ip-exclude.txt"
ZIPLIST_EXCLUDE6="$IPSET_RW_DIR/zapret-ip-exclude6.txt"
ZIPLIST_USER="$IPSET_RW_DIR/zapret-ip-user.txt"
ZIPLIST_USER6="$IPSET_RW_DIR/zapret-ip-user6.txt"
ZIPLIST_IPBAN="$IPSET_RW_DIR/zapret-ip-ipban.txt"
ZIPLIST_IPBAN6="$IPSET_RW_DIR/zapret-ip-ipban6.txt"
ZIPLIST_USER_IPBAN="$IPSET_RW_DIR/zapret-ip-user-ipban.txt"
ZIPLIST_USER_IPBAN6="$IPSET_RW_DIR/zapret-ip-user-ipban6.txt"
ZHOSTLIST="$IPSET_RW_DIR/zapret-hosts.txt"
ZUSERLIST="$IPSET_RW_DIR/zapret-hosts-user.txt"
ZUSERLIST_EXCLUDE="$IPSET_RW_DIR/zapret-hosts-user-exclude.txt"
ZUSERLIST_IPBAN="$IPSET_RW_DIR/zapret-hosts-user-ipban.txt"

# --- temporary folder -----------------------------------------------------------------------------

zap_tmp_cleanup() {
	[ -n "$ZAP_TMP" ] && rm -rf "$ZAP_TMP"
	ZAP_TMP=
}

make_zap_tmp() { # makes the folder $ZAP_TMP, removed at exit
	[ -n "$ZAP_TMP" ] && return 0
	if ! ZAP_TMP=$(mktemp -d "$TMPDIR/zapret2.XXXXXX"); then
		echo "no temporary folder can be made in $TMPDIR" >&2
		exit 2
	fi
	trap zap_tmp_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# --- list files: plain, NAME.gz, or a NAME that is gzip inside ----------------------------------------

zzexist() { # FILE
	[ -f "$1.gz" ] || [ -f "$1" ]
}

is_gzip() { # FILE
	[ "$(head -c 2 "$1" | od -An -tx1 | tr -d ' \n')" = 1f8b ]
}

zzcat() { # FILE
	if [ -f "$1.gz" ]; then
		gunzip -c "$1.gz"
	elif [ -f "$1" ]; then
		if is_gzip "$1"; then
			gunzip -c <"$1"
		else
			cat "$1"
		fi
	fi
}

zzsize() { # FILE: bytes as stored
	local file="$1"
	[ -f "$file.gz" ] && file="$file.gz"
	if [ -f "$file" ]; then
		wc -c <"$file" | tr -d ' '
	else
		echo 0
	fi
}

zzcopy() { # SOURCE TARGET: a complete plain file becomes the list TARGET
	local target="$2" other="$2.gz"
	if [ "$GZIP_LISTS" = 1 ]; then
		target="$2.gz"
		other="$2"
		gzip -c <"$1" >"$target.new" || {
			rm -f "$target.new"
			return 1
		}
	else
		cp "$1" "$target.new" || {
			rm -f "$target.new"
			return 1
		}
	fi
	chmod 644 "$target.new"
	mv -f "$target.new" "$target" && rm -f "$other"
}

zz() { # TARGET: the list becomes what is on stdin
	make_zap_tmp
	cat >"$ZAP_TMP/zz" && zzcopy "$ZAP_TMP/zz" "$1"
	local code=$?
	rm -f "$ZAP_TMP/zz"
	return $code
}

# --- filters --------------------------------------------------------------------------------------

# Lets through lines that begin with an address, a network or a range of a family. With `hook`, what
# follows the address stays if it is plain words.
address_filter() { # 4|6 [hook]
	awk -v family="$1" -v hook="$2" '
		function ok4(text, parts, n, i) {
			n = split(text, parts, ".")
			if (n != 4) return 0
			for (i = 1; i <= 4; i++)
				if (parts[i] !~ /^[0-9]+$/ || length(parts[i]) > 3 || parts[i] + 0 > 255) return 0
			return 1
		}
		function groups(text, parts, n, i) {
			# number of 16 bit groups, -1 when malformed
			if (text == "") return 0
			n = split(text, parts, ":")
			for (i = 1; i <= n; i++) {
				if (i == n && parts[i] ~ /\./) return ok4(parts[i]) ? n + 1 : -1
				if (parts[i] !~ /^[0-9A-Fa-f]+$/ || length(parts[i]) > 4) return -1
			}
			return n
		}
		function ok6(text, at, left, right) {
			if (text !~ /:/) return 0
			at = index(text, "::")
			if (!at) return groups(text) == 8
			left = groups(substr(text, 1, at - 1))
			right = groups(substr(text, at + 2))
			return left >= 0 && right >= 0 && left + right <= 7 && substr(text, 1, at - 1) !~ /\./
		}
		function ok(text) { return family == 4 ? ok4(text) : ok6(text) }
		function valid(text, at, mask) {
			if (length(text) > 100) return 0
			if ((at = index(text, "/"))) {
				mask = substr(text, at + 1)
				return ok(substr(text, 1, at - 1)) && mask ~ /^[0-9]+$/ && length(mask) < 4 &&
					mask + 0 > 0 && mask + 0 <= (family == 4 ? 32 : 128)
			}
			if ((at = index(text, "-"))) return ok(substr(text, 1, at - 1)) && ok(substr(text, at + 1))
			return ok(text)
		}
		{
			sub(/\r$/, "")
			if (!valid($1)) next
			if (hook == "" || NF == 1) print $1
			else if ($0 ~ /^[0-9A-Za-z:.\/ \t_-]+$/) print
		}'
}

# Without what never is reached through a provider: private, loopback, link-local addresses.
cut_local() {
	grep -vE '^(10\.|127\.|192\.168\.|169\.254\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|0\.)'
}
cut_local6() {
	grep -vE '^(::1?(/|$)|[fF][cCdD][0-9a-fA-F]*:|[fF][eE][89aAbB][0-9a-fA-F]?:)'
}

# Host names only, one a line, in lower case. "^" in front means: not its subdomains.
host_filter() {
	tr -d '\r\000' | tr 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' 'abcdefghijklmnopqrstuvwxyz' | trim |
		LC_ALL=C grep -E '^\^?[a-z0-9_][a-z0-9._-]{0,252}$'
}

ip2net4() {
	# shellcheck disable=SC2086 # options
	"$IP2NET" -4 $IP2NET_OPT4
}
ip2net6() {
	# shellcheck disable=SC2086 # options
	"$IP2NET" -6 $IP2NET_OPT6
}

# --- resolving -------------------------------------------------------------------------------------

flush_dns_caches() {
	if exists resolvectl; then
		resolvectl flush-caches
	elif exists systemd-resolve; then
		systemd-resolve --flush-caches
	elif [ -x /etc/init.d/dnsmasq ] && is_openwrt; then
		signal_by_name HUP dnsmasq
	elif exists nscd; then
		nscd -i hosts
	fi >/dev/null 2>&1
	return 0
}

dns_works() {
	[ -n "$DNS_WORKS" ] || {
		flush_dns_caches
		if [ -n "$(echo w3.org | "$MDIG" --family=46 --eagain=3)" ]; then
			DNS_WORKS=1
		else
			DNS_WORKS=0
			"$DNS_FAILED" "DNS does not work: nothing is resolved"
		fi
	}
	[ "$DNS_WORKS" = 1 ]
}

mdig_family() { # 4|6: names and addresses on stdin, addresses on stdout
	"$MDIG" --family="$1" --threads="${MDIG_THREADS:-30}" --eagain="${MDIG_EAGAIN:-10}" \
		--eagain-delay="${MDIG_EAGAIN_DELAY:-500}" --stats=1000 | address_filter "$1"
}

# A host list becomes an address list, one family. The old one stays when nothing comes out of names.
# (grep takes what has a NUL, or bytes that are no characters, for no text.)
resolve_list() { # HOSTLIST TARGET 4|6 CUT
	make_zap_tmp
	zzcat "$1" | tr -d '\r\000' | LC_ALL=C grep -v '^[[:space:]]*#' | mdig_family "$3" | "$4" | sort -u >"$ZAP_TMP/resolved"
	if [ ! -s "$ZAP_TMP/resolved" ] && zzcat "$1" | grep -q '[^[:space:]]' && zzexist "$2"; then
		echo "nothing of $1 could be resolved for IPv$3: the old list stays" >&2
		return 0
	fi
	zz "$2" <"$ZAP_TMP/resolved"
}

resolve_list46() { # HOSTLIST TARGET4 TARGET6 CUT4 CUT6
	zzexist "$1" || return 0
	echo "resolving $1"
	[ "$DISABLE_IPV4" = 1 ] || resolve_list "$1" "$2" 4 "$4"
	[ "$DISABLE_IPV6" = 1 ] || resolve_list "$1" "$3" 6 "$5"
}

getexclude() {
	zzexist "$ZUSERLIST_EXCLUDE" || return 0
	dns_works || return 1
	resolve_list46 "$ZUSERLIST_EXCLUDE" "$ZIPLIST_EXCLUDE" "$ZIPLIST_EXCLUDE6" cat cat
}

_get_ipban() {
	zzexist "$ZUSERLIST_IPBAN" || return 0
	dns_works || return 1
	resolve_list46 "$ZUSERLIST_IPBAN" "$ZIPLIST_USER_IPBAN" "$ZIPLIST_USER_IPBAN6" cut_local cut_local6
}

_get_user() {
	zzexist "$ZUSERLIST" || return 0
	dns_works || return 1
	resolve_list46 "$ZUSERLIST" "$ZIPLIST_USER" "$ZIPLIST_USER6" cut_local cut_local6
}

getipban() { # exclude, ipban
	getexclude
	_get_ipban
}

getuser() { # exclude, user, ipban
	getexclude
	_get_user
	_get_ipban
}

# --- downloaded lists --------------------------------------------------------------------------------

keep_list() { # LIST URL FILE: the content of a download, filtered
	if ! zz "$1" <"$3"; then
		list_failed "${1##*/} can not be written. The old list stays."
		return 1
	fi
	list_updated "$1" "$2" "$ZAP_TMP/download"
}

# An address list of the network becomes zapret-ip.txt or zapret-ip6.txt.
get_ip_list() { # URL MIN_BYTES 4|6
	local target="$ZIPLIST" cut=cut_local net=ip2net4
	if [ "$3" = 6 ]; then
		target="$ZIPLIST6"
		cut=cut_local6
		net=ip2net6
	fi
	make_zap_tmp
	download "$1" "$ZAP_TMP/download" "$2" "$target" || return 1
	if [ "$DOWNLOAD_SAME" = 1 ]; then
		list_unchanged "$target"
		return 0
	fi
	address_filter "$3" <"$ZAP_TMP/download" | "$cut" >"$ZAP_TMP/addresses"
	enough_left "$ZAP_TMP/addresses" "$2" || return 1
	if ! sort -u "$ZAP_TMP/addresses" | "$net" >"$ZAP_TMP/networks" || [ ! -s "$ZAP_TMP/networks" ]; then
		list_failed "ip2net failed. The old list stays."
		return 1
	fi
	keep_list "$target" "$1" "$ZAP_TMP/networks"
}

# A host list of the network becomes zapret-hosts.txt.
get_host_list() { # URL MIN_BYTES
	make_zap_tmp
	download "$1" "$ZAP_TMP/download" "$2" "$ZHOSTLIST" || return 1
	if [ "$DOWNLOAD_SAME" = 1 ]; then
		list_unchanged "$ZHOSTLIST"
		return 0
	fi
	host_filter <"$ZAP_TMP/download" | sort -u >"$ZAP_TMP/hosts"
	enough_left "$ZAP_TMP/hosts" "$2" || return 1
	keep_list "$ZHOSTLIST" "$1" "$ZAP_TMP/hosts"
}

hup_zapret_daemons() {
	echo "forcing the daemons to reload their lists"
	signal_by_name HUP nfqws2 dvtws2
}

# Does anything look at the sets? Where the service runs without a filter by addresses, a machine that has no sets
# can go on without them.
sets_are_used() {
	[ "$MODE_FILTER" = ipset ] || [ -n "$LISTS_RELOAD" ] || sets_are_there
}

# nozapret or nozapret6: rules of the service look at them in every mode.
sets_are_there() {
	local set
	get_fwtype
	for set in nozapret nozapret6; do
		case $FWTYPE in
		iptables) ipset -q -n list "$set" ;;
		nftables) nft -t list set inet "$ZAPRET_NFT_TABLE" "$set" ;;
		ipfw) ipfw table "$set" info ;;
		*) false ;;
		esac >/dev/null 2>&1 && return 0
	done
	return 1
}

update_sets() {
	local used=0
	sets_are_used && used=1
	sh "$ZAPRET_BASE/ipset/create_ipset.sh" && return 0
	if [ "$used" = 0 ]; then
		list_warning "the sets could not be loaded; nothing uses them"
		return 0
	fi
	list_failed "the sets could not be loaded"
	return 1
}

# Whole scripts: address lists by URL, host lists by URL. They are about what is downloaded: the addresses of the
# user's names may be those of last time.
run_ip_list_script() { # MIN_BYTES URL4 [MIN_BYTES6 URL6]
	local code=0 DNS_FAILED=list_warning
	getuser
	if [ "$DISABLE_IPV4" != 1 ] && [ -n "$2" ]; then
		get_ip_list "$2" "$1" 4 || code=2
	fi
	if [ "$DISABLE_IPV6" != 1 ] && [ -n "$4" ]; then
		get_ip_list "$4" "$3" 6 || code=2
	fi
	update_sets || [ "$code" != 0 ] || code=1
	return $code
}

run_host_list_script() { # MIN_BYTES URL
	local code=0 DNS_FAILED=list_warning
	getipban
	get_host_list "$2" "$1" || code=2
	[ "$code" = 0 ] && [ "$DOWNLOAD_SAME" != 1 ] && hup_zapret_daemons
	update_sets || [ "$code" != 0 ] || code=1
	return $code
}
