#!/bin/sh
# Makes the IP sets of the firewall and loads the lists into them.
#   create_ipset.sh             missing sets are made, all are loaded anew
#   create_ipset.sh no-update   sets that exist are left as they are
#   create_ipset.sh clear       missing sets are made, all are emptied
#   create_ipset.sh destroy     all are removed, those of nftables and of ipset
# shellcheck shell=dash disable=SC2154,SC2317 # variables of def.sh; functions called by name

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

MODE=$1
case $MODE in
'' | no-update | clear | destroy) ;;
*)
	echo "Usage: $0 [no-update|clear|destroy]" >&2
	exit 1
	;;
esac

# A big list must not cost the router a more important process.
[ -w /proc/$$/oom_score_adj ] && echo 100 2>/dev/null >/proc/$$/oom_score_adj

RAM=$(ram_kb)
LOWMEM=0
[ -n "$RAM" ] && [ "$RAM" -lt 110000 ] && [ "$TMPDIR" = /tmp ] && LOWMEM=1

# Entries of a set: its files, without repetition where memory allows, then what the hook prints.
set_entries() { # 4|6 SET FILE...
	local family="$1" set="$2" file
	shift 2
	for file; do
		zzcat "$file"
	done | address_filter "$family" | if [ "$LOWMEM" = 1 ]; then cat; else sort -u; fi
	if [ -n "$IPSET_HOOK" ]; then
		# shellcheck disable=SC2086 # a command, blanks separate its words
		$IPSET_HOOK "$set" </dev/null | address_filter "$family" hook
	fi
}

# --- iptables --------------------------------------------------------------------------------------

ipset_load() { # FAMILY SET TARGET FILE...: entries of SET go into the set TARGET
	local family="$1" set="$2" target="$3" ranges=.
	shift 3
	# hash:net knows ranges of IPv4 only.
	[ "$family" = 6 ] && ranges='^[^-]*$'
	set_entries "$family" "$set" "$@" | grep -e "$ranges" | sed "s/^/add $target /" | ipset -! restore
}

ipset_create() { # FAMILY SET OPTIONS
	local inet=inet
	[ "$1" = 6 ] && inet=inet6
	# shellcheck disable=SC2086 # options
	ipset create "$2" hash:net $3 family "$inet" -exist
}

# A set in use is loaded beside and exchanged at once: it never is half full.
ipset_one_set() { # FAMILY SET OPTIONS FILE...
	local family="$1" set="$2" options="$3" new="$2-new"
	shift 3
	if ! ipset -q -n list "$set" >/dev/null 2>&1; then
		ipset_create "$family" "$set" "$options" || return 1
		[ "$MODE" = clear ] && return 0
		ipset_load "$family" "$set" "$set" "$@"
		return
	fi
	case $MODE in
	no-update) return 0 ;;
	clear)
		ipset flush "$set"
		return
		;;
	esac
	ipset -q destroy "$new" 2>/dev/null
	if [ "$LOWMEM" = 1 ] || ! ipset_create "$family" "$new" "$options"; then
		ipset flush "$set" && ipset_load "$family" "$set" "$set" "$@"
		return
	fi
	if ipset_load "$family" "$set" "$new" "$@" && ipset swap "$new" "$set"; then
		ipset destroy "$new"
	else
		ipset -q destroy "$new" 2>/dev/null
		return 1
	fi
}

# --- nftables --------------------------------------------------------------------------------------

nft_one_set() { # FAMILY SET SIZE FILE...
	local family="$1" set="$2" size="$3" type=ipv4_addr policy='' exists=0
	shift 3
	[ "$family" = 6 ] && type=ipv6_addr
	[ -n "$RAM" ] && [ "$RAM" -lt 420000 ] && policy='policy memory;'
	nft -t list set inet "$ZAPRET_NFT_TABLE" "$set" >/dev/null 2>&1 && exists=1
	[ "$exists" = 1 ] && [ "$MODE" = no-update ] && return 0
	make_zap_tmp
	{
		echo "add table inet $ZAPRET_NFT_TABLE"
		if [ "$exists" = 0 ]; then
			echo "add set inet $ZAPRET_NFT_TABLE $set { type $type; size $size; flags interval; auto-merge; $policy }"
		fi
		echo "flush set inet $ZAPRET_NFT_TABLE $set"
		if [ "$MODE" != clear ]; then
			set_entries "$family" "$set" "$@" |
				awk -v head="add element inet $ZAPRET_NFT_TABLE $set {" '
					NR == 1 { print head }
					{ print $0 "," }
					END { if (NR) print "}" }'
		fi
	} >"$ZAP_TMP/nft"
	nft -f "$ZAP_TMP/nft"
}

# --- ipfw -------------------------------------------------------------------------------------------

ipfw_one_table() { # TABLE OPTIONS FILE4 FILE6...
	local table="$1" options="$2" family entry
	shift 2
	if ipfw table "$table" info >/dev/null 2>&1; then
		[ "$MODE" = no-update ] && return 0
		ipfw -q table "$table" flush
	else
		# shellcheck disable=SC2086 # options
		ipfw table "$table" create $options || return 1
	fi
	[ "$MODE" = clear ] && return 0
	for family in 4 6; do
		[ "$family" = 4 ] && [ "$DISABLE_IPV4" = 1 ] && continue
		[ "$family" = 6 ] && [ "$DISABLE_IPV6" = 1 ] && continue
		set_entries "$family" "$table" "$@" | while read -r entry; do
			echo "table $table add $entry"
		done
	done >"$ZAP_TMP/ipfw"
	[ -s "$ZAP_TMP/ipfw" ] || return 0
	ipfw -q "$ZAP_TMP/ipfw"
}

# --- all sets ---------------------------------------------------------------------------------------

one_set() { # FUNC ARGS...
	local func="$1"
	shift
	"$func" "$@" || zapret_failed "a set could not be loaded: $*"
}

all_sets() { # FUNC OPTIONS OPTIONS_EXCLUDE
	if [ "$DISABLE_IPV4" != 1 ]; then
		one_set "$1" 4 zapret "$2" "$ZIPLIST" "$ZIPLIST_USER"
		one_set "$1" 4 ipban "$2" "$ZIPLIST_IPBAN" "$ZIPLIST_USER_IPBAN"
		one_set "$1" 4 nozapret "$3" "$ZIPLIST_EXCLUDE"
	fi
	if [ "$DISABLE_IPV6" != 1 ]; then
		one_set "$1" 6 zapret6 "$2" "$ZIPLIST6" "$ZIPLIST_USER6"
		one_set "$1" 6 ipban6 "$2" "$ZIPLIST_IPBAN6" "$ZIPLIST_USER_IPBAN6"
		one_set "$1" 6 nozapret6 "$3" "$ZIPLIST_EXCLUDE6"
	fi
}

all_ipfw_tables() {
	make_zap_tmp
	one_set ipfw_one_table zapret "$IPFW_TABLE_OPT" "$ZIPLIST" "$ZIPLIST6" "$ZIPLIST_USER" "$ZIPLIST_USER6"
	one_set ipfw_one_table ipban "$IPFW_TABLE_OPT" "$ZIPLIST_IPBAN" "$ZIPLIST_IPBAN6" \
		"$ZIPLIST_USER_IPBAN" "$ZIPLIST_USER_IPBAN6"
	one_set ipfw_one_table nozapret "$IPFW_TABLE_OPT_EXCLUDE" "$ZIPLIST_EXCLUDE" "$ZIPLIST_EXCLUDE6"
}

destroy_sets() {
	local set
	for set in zapret zapret6 nozapret nozapret6 ipban ipban6; do
		if exists ipset; then
			ipset -q destroy "$set" 2>/dev/null
			ipset -q destroy "$set-new" 2>/dev/null
		fi
		exists nft && nft delete set inet "$ZAPRET_NFT_TABLE" "$set" 2>/dev/null
	done
	return 0
}

# At the first start after boot: what the last update of the lists came to.
[ -f "$ZAPRET_RUN/list-update" ] || publish_update_status

if [ "$MODE" = destroy ]; then
	destroy_sets
	exit 0
fi
case $LISTS_RELOAD in
'') ;;
-)
	echo "no lists are loaded: LISTS_RELOAD=-"
	exit 0
	;;
*)
	echo "loading lists with: $LISTS_RELOAD"
	# shellcheck disable=SC2086 # a command, blanks separate its words
	$LISTS_RELOAD || zapret_failed "$LISTS_RELOAD failed"
	# shellcheck disable=SC2086 # the same
	[ -n "$IPSET_HOOK" ] && $IPSET_HOOK
	exit "$ZAPRET_FAILED"
	;;
esac

get_fwtype
case $FWTYPE in
iptables) all_sets ipset_one_set "$IPSET_OPT" "$IPSET_OPT_EXCLUDE" ;;
nftables) all_sets nft_one_set "$SET_MAXELEM" "$SET_MAXELEM_EXCLUDE" ;;
ipfw) all_ipfw_tables ;;
*) echo "no supported firewall found: no sets are made" ;;
esac
exit "$ZAPRET_FAILED"
