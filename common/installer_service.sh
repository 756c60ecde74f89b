# Steps of the installer that depend on the init system. Sourced by installer.sh.
# shellcheck shell=dash disable=SC2034 # variables are for the scripts that source this

INIT_LINK=/etc/init.d/zapret2
CRON_MARK=/ipset/get_
UNITS='zapret2.service zapret2-list-update.service zapret2-list-update.timer'

# --- systemd --------------------------------------------------------------------------------------

# The units name the folder /opt/zapret2; elsewhere they are changed on the way.
install_units() {
	local unit
	for unit in $UNITS; do
		sed "s,/opt/zapret2/,$(printf '%s' "$ZAPRET_BASE" | sed 's/[&,\\]/\\&/g')/,g" \
			"$ZAPRET_BASE/init.d/systemd/$unit" >"$SYSTEMD_DIR/system/$unit" || return 1
	done
	systemctl daemon-reload
}

remove_units() {
	local unit
	for unit in $UNITS; do
		systemctl disable "$unit" 2>/dev/null
		rm -f "$SYSTEMD_DIR/system/$unit"
	done
	systemctl daemon-reload
}

# --- service: stop, autostart, start ----------------------------------------------------------------

init_script() { # prints the script that does the work on this system
	case $SYSTEM in
	openwrt) echo "$ZAPRET_BASE/init.d/openwrt/zapret2" ;;
	openrc) echo "$ZAPRET_BASE/init.d/openrc/zapret2" ;;
	*) echo "$ZAPRET_BASE/init.d/sysv/zapret2" ;;
	esac
}

service_stop() {
	echo "* stopping the running service"
	case $SYSTEM in
	systemd)
		systemctl stop zapret2-list-update.timer 2>/dev/null
		systemctl stop zapret2 2>/dev/null
		;;
	openrc) [ -x "$INIT_LINK" ] && rc-service zapret2 stop ;;
	openwrt)
		if [ -x "$INIT_LINK" ]; then
			"$INIT_LINK" stop_fw
			"$INIT_LINK" stop_daemons
		fi
		;;
	esac
	return 0
}

link_init_script() {
	rm -f "$INIT_LINK"
	mkdir -p "${INIT_LINK%/*}"
	ln -s "$(init_script)" "$INIT_LINK" || exitp 20 "the init script can not be linked"
}

service_enable() {
	echo "* installing the service"
	case $SYSTEM in
	systemd)
		install_units || exitp 20 "the units can not be installed"
		systemctl enable zapret2 || exitp 20 "could not enable the service"
		;;
	openrc)
		link_init_script
		rc-update add zapret2 || exitp 20 "could not enable the service"
		;;
	openwrt)
		link_init_script
		"$INIT_LINK" enable || exitp 20 "could not enable the service"
		;;
	*) echo "start it by hand, or from your boot scripts : $(init_script) start" ;;
	esac
}

service_disable() {
	echo "* removing the service"
	case $SYSTEM in
	systemd) remove_units ;;
	openrc) [ -e "$INIT_LINK" ] && rc-update del zapret2 ;;
	openwrt) [ -x "$INIT_LINK" ] && "$INIT_LINK" disable ;;
	*) sh "$(init_script)" stop ;;
	esac
	rm -f "$INIT_LINK"
}

service_start() {
	echo "* starting the service"
	case $SYSTEM in
	systemd) systemctl start zapret2 || exitp 30 "could not start the service" ;;
	openrc) rc-service zapret2 start || exitp 30 "could not start the service" ;;
	openwrt) "$INIT_LINK" start || exitp 30 "could not start the service" ;;
	*) echo "not started. To start : $(init_script) start" ;;
	esac
}

# --- schedule ---------------------------------------------------------------------------------------

# Passes the crontab of root through a command. Its text never is a file of a known name.
crontab_change() { # COMMAND...
	local file code
	exists crontab || {
		echo "there is no crontab: lists are not updated by schedule"
		return 0
	}
	file=$(mktemp "${TMPDIR:-/tmp}/zapret2.XXXXXX") || return 1
	crontab -l 2>/dev/null | "$@" >"$file"
	crontab "$file"
	code=$?
	rm -f "$file"
	return $code
}

cron_without_ours() {
	grep -vF -e "$CRON_MARK"
	return 0
}

cron_with_ours() { # HOUR_MIN HOUR_MAX
	cron_without_ours
	echo "$(random 0 59) $(random "$1" "$2") */2 * * $ZAPRET_BASE/ipset/get_config.sh"
}

crontab_add() { # HOUR_MIN HOUR_MAX
	crontab_change cron_with_ours "$1" "$2"
}

crontab_del() {
	exists crontab && crontab -l 2>/dev/null | grep -qF -e "$CRON_MARK" || return 0
	echo "removing the crontab entry"
	crontab_change cron_without_ours
}

schedule_install() {
	echo "* scheduling list updates"
	crontab_del
	case $SYSTEM in
	systemd)
		[ -n "$GETLIST" ] || return 0
		systemctl enable zapret2-list-update.timer && systemctl start zapret2-list-update.timer
		;;
	openwrt)
		if [ -n "$GETLIST" ]; then
			crontab_add 0 6
			/etc/init.d/cron enabled || /etc/init.d/cron enable
			/etc/init.d/cron start
		fi
		;;
	*) [ -z "$GETLIST" ] || crontab_add 10 22 ;;
	esac
}

# --- OpenWrt ----------------------------------------------------------------------------------------

HOTPLUG_LINK=/etc/hotplug.d/iface/90-zapret2
FW_INCLUDE=/etc/firewall.zapret2

openwrt_include() { # prints the number of our firewall include in uci
	local number=0 path
	while path=$(uci -q get "firewall.@include[$number].path"); do
		[ "$path" = "$FW_INCLUDE" ] && {
			echo "$number"
			return 0
		}
		number=$((number + 1))
	done
	return 1
}

openwrt_hooks_install() {
	ln -sf "$ZAPRET_BASE/init.d/openwrt/90-zapret2" "$HOTPLUG_LINK"
	openwrt_fw3 || return 0
	ln -sf "$ZAPRET_BASE/init.d/openwrt/firewall.zapret2" "$FW_INCLUDE"
	openwrt_include >/dev/null && return 0
	if ! uci add firewall include >/dev/null || ! uci set "firewall.@include[-1].path=$FW_INCLUDE" ||
		! uci set "firewall.@include[-1].reload=1" || ! uci commit firewall; then
		exitp 50 "could not add the firewall include"
	fi
}

openwrt_hooks_remove() {
	local number
	if number=$(openwrt_include); then
		uci delete "firewall.@include[$number]" && uci commit firewall
	fi
	rm -f "$FW_INCLUDE" "$HOTPLUG_LINK"
}

# The system's own offload would take packets past our rules.
openwrt_disable_system_offload() {
	[ "$(uci -q get 'firewall.@defaults[0].flow_offloading')" = 1 ] || return 0
	[ "${FLOWOFFLOAD:-donttouch}" = donttouch ] && [ "$NFQWS2_ENABLE" != 1 ] && return 0
	echo "* disabling the flow offload of the system: zapret2 has its own"
	uci set 'firewall.@defaults[0].flow_offloading=0'
	uci commit firewall
}

openwrt_restart_firewall() {
	local fw
	for fw in fw4 fw3; do
		[ -x "/sbin/$fw" ] && {
			"/sbin/$fw" -q restart
			return
		}
	done
	return 0
}

openwrt_packages() { # prints the packages of the chosen firewall
	local legacy=''
	echo curl
	if [ "$FWTYPE" = nftables ]; then
		echo "nftables kmod-nft-nat kmod-nft-offload kmod-nft-queue"
		return
	fi
	exists iptables-zz-legacy || [ ! -x /sbin/fw4 ] || legacy=-zz-legacy
	echo "ipset iptables$legacy iptables-mod-extra iptables-mod-nfqueue iptables-mod-filter iptables-mod-ipopt"
	echo "iptables-mod-conntrack-extra iptables-mod-u32"
	[ "$DISABLE_IPV6" = 1 ] || echo "ip6tables$legacy ip6tables-mod-nat ip6tables-extra"
}

openwrt_package_is_installed() { # NAME
	if exists opkg; then
		opkg list-installed | grep -q "^$1 "
	else
		apk info -e "$1" >/dev/null 2>&1
	fi
}

openwrt_install() { # PACKAGE...
	if exists opkg; then
		opkg update && opkg install "$@"
	else
		apk update && apk add "$@"
	fi
}

check_prerequisites_openwrt() {
	local package missing='' prog
	# shellcheck disable=SC2046 # a list of words
	for package in $(openwrt_packages); do
		openwrt_package_is_installed "$package" || missing="$missing $package"
	done
	if [ -n "$missing" ]; then
		echo "missing packages, to be installed :$missing"
		# shellcheck disable=SC2086 # a list of words
		openwrt_install $missing || exitp 6 "the packages could not be installed"
	fi
	for prog in gzip sort sleep; do
		is_linked_to_busybox "$prog" || continue
		[ "$prog" = gzip ] && package=gzip || package="coreutils-$prog"
		ask_yes_no N "busybox $prog is used. install GNU $prog, which is faster" && openwrt_install "$package"
	done
	return 0
}

openwrt_remove_packages() {
	local packages
	packages=$(openwrt_packages | tr '\n' ' ')
	ask_yes_no N "do you want to remove the packages $packages" || return 0
	# shellcheck disable=SC2086 # a list of words
	if exists opkg; then
		opkg remove --autoremove $packages
	else
		apk del $packages
	fi
}
