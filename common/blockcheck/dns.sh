# Names: is the resolver honest, and what are the addresses. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant

# --- lookups ------------------------------------------------------------------------------------

domain_only() { # DOMAIN[/URI]: HOST becomes the domain, URI the rest with its slash
	HOST=${1%%/*}
	URI=
	contains "$1" / && URI=/${1#*/}
	return 0
}

system_lookup_works() { # DOMAIN
	[ -n "$(system_addresses "$1" 4)" ] || [ -n "$(system_addresses "$1" 6)" ]
}

# mdig asks the system's resolver. Only these can ask another one.
can_ask_server() {
	exists nslookup || exists host
}

dns_server_addresses() { # DOMAIN SERVER: prints IPv4 addresses
	if exists nslookup; then
		# The first address is the server's own.
		nslookup "$1" "$2" 2>/dev/null | sed -n '/^Name:/,$s/^Address[^:]*:[[:space:]]*\([0-9.]*\)[[:space:]]*.*$/\1/p' | grep '[0-9]' | sort -u
	else
		host -t A "$1" "$2" 2>/dev/null | sed -n 's/^.* has address \([0-9.]*\)$/\1/p' | sort -u
	fi
}

system_addresses() { # DOMAIN FAMILY
	echo "$1" | "$MDIG" --family="$2" 2>/dev/null | sort -u
}

doh_addresses() { # DOMAIN FAMILY URL
	"$MDIG" --family="$2" --dns-make-query="$1" |
		"$CURL" --max-time "$CURL_MAX_TIME_DOH" -s --data-binary @- \
			-H 'Content-Type: application/dns-message' "$3" |
		"$MDIG" --dns-parse-query 2>/dev/null | sort -u
}

# Prints the addresses of a test domain. Each is looked up once in a run.
resolve() { # DOMAIN[/URI] FAMILY
	local host="${1%%/*}" file
	file=$WORK/dns/$2-$host
	if [ ! -f "$file" ]; then
		if [ "$SECURE_DNS" = 1 ]; then
			doh_addresses "$host" "$2" "$DOH_SERVER" >"$file"
		else
			system_addresses "$host" "$2" >"$file"
		fi
	fi
	cat "$file"
}

# --- checks -------------------------------------------------------------------------------------

find_public_dns() { # sets PUBLIC_DNS
	local dns
	PUBLIC_DNS=
	if ! can_ask_server; then
		echo 'neither nslookup nor host is installed: answers are not compared with those of a public DNS'
		return 1
	fi
	for dns in $DNSCHECK_DNS; do
		if ping -c 1 -w 1 "$dns" >/dev/null 2>&1 && [ -n "$(dns_server_addresses iana.org "$dns")" ]; then
			PUBLIC_DNS=$dns
			return 0
		fi
	done
	return 1
}

# Compares the system's answers with those of a public server; all system answers go to a file.
compare_dns() { # ANSWERS: 1 = mismatch found
	local dom
	for dom in $DNSCHECK_DOM; do
		echo "$dom" | "$MDIG" --family=4 2>/dev/null | sort -u >"$WORK/dig1"
		dns_server_addresses "$dom" "$PUBLIC_DNS" >"$WORK/dig2"
		cat "$WORK/dig1" >>"$1"
		if grep -vxF -f "$WORK/dig2" "$WORK/dig1" >/dev/null || { [ ! -s "$WORK/dig2" ] && [ -s "$WORK/dig1" ]; }; then
			echo "$dom : MISMATCH"
			echo '-- system resolver :'
			cat "$WORK/dig1"
			echo "-- $PUBLIC_DNS :"
			cat "$WORK/dig2"
			# No answer is no other answer.
			[ ! -s "$WORK/dig2" ] || DNS_EVIDENCE="$dom: the system's resolver says $(tr '\n' ' ' <"$WORK/dig1")- $PUBLIC_DNS says $(tr '\n' ' ' <"$WORK/dig2")"
			return 1
		fi
		echo "$dom : OK"
	done
	return 0
}

check_dns_answers() { # sets DNS_VERDICT
	local answers="$WORK/digs" repeated
	: >"$answers"
	if find_public_dns; then
		echo "comparing system resolver to public DNS : $PUBLIC_DNS"
		if ! compare_dns "$answers"; then
			DNS_VERDICT=spoofed
			return 1
		fi
	else
		! can_ask_server || echo 'no working public DNS was found. looks like public DNS are blocked.'
		echo 'trying to resolve by the system resolver only'
		# shellcheck disable=SC2086 # a list of words
		printf '%s\n' $DNSCHECK_DOM | "$MDIG" --threads=10 --family=4 2>/dev/null >"$answers"
	fi
	echo 'checking resolved IP uniqueness'
	if [ ! -s "$answers" ]; then
		echo 'DNS is not working'
		DNS_VERDICT=broken
		return 1
	fi
	repeated=$(sort "$answers" | uniq -d)
	if [ -n "$repeated" ]; then
		echo 'system dns resolver has returned equal IPs for some domains :'
		echo "$repeated"
		DNS_EVIDENCE="the system's resolver says the same for different names: $(printf '%s' "$repeated" | tr '\n' ' ')"
		DNS_VERDICT=spoofed
		return 1
	fi
	echo 'all resolved IPs are unique'
	return 0
}

check_dns() {
	DNS_VERDICT=unchecked
	if [ "$SKIP_DNSCHECK" != 1 ]; then
		echo '* checking DNS'
		if ! system_lookup_works iana.org; then
			echo '-- DNS is not working. It is either misconfigured or blocked or you do not have internet access.'
			DNS_VERDICT=broken
		else
			DNS_VERDICT=ok
			if check_dns_answers; then
				echo '-- DNS looks fine'
			elif [ "$DNS_VERDICT" = spoofed ]; then
				echo '-- POSSIBLE DNS HIJACK DETECTED. ZAPRET WILL NOT HELP YOU IN CASE DNS IS SPOOFED !!!'
				SECURE_DNS=${SECURE_DNS:-1}
			fi
		fi
		echo
	fi
	[ "$SECURE_DNS" = 1 ] && find_doh_server
	return 0
}

find_doh_server() { # sets DOH_SERVER
	local url
	echo '* searching working DoH server'
	for url in ${DOH_SERVER:-$DOH_SERVERS}; do
		if [ -n "$(doh_addresses iana.org 4 "$url")" ]; then
			echo "$url : OK"
			DOH_SERVER=$url
			return 0
		fi
		echo "$url : FAIL"
	done
	die 7 'no working DoH server'
}
