# Steps of the installer that depend on the init system. Sourced by installer.sh.
# shellcheck shell=dash disable=SC2034,SC2153 # variables of the config, and such as are for the scripts that source this

INIT_LINK=/etc/init.d/zapret2
CRON_MARK=/ipset/get_
CRON_STATE_MARK='zapret2 save_state'
UNITS='zapret2.service zapret2-list-update.service zapret2-list-update.timer'

# --- systemd --------------------------------------------------------------------------------------

# Where systemd looks for units, what goes before first.
UNIT_FOLDERS='/etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /lib/systemd/system
/usr/lib/systemd/system'

# FILE: prints the folder of the installation that a zapret2.service starts; older ones say `start`.
unit_base() {
	sed -n -e 's,^ExecStart=[-+@:!]*\(/.*\)/init.d/sysv/zapret2 start[[:space:]]*$,\1,p' \
		-e 's,^ExecStart=[-+@:!]*\(/.*\)/init.d/sysv/zapret2 main[[:space:]]*$,\1,p' "$1" 2>/dev/null
}

# Another installation whose unit is here too, made by a package or by `cmake --install`.
find_other_installation() { # sets OTHER_UNIT, OTHER_BASE
	local folder base
	OTHER_UNIT='' OTHER_BASE=''
	for folder in $UNIT_FOLDERS; do
		base=$(unit_base "$folder/zapret2.service")
		if [ -n "$base" ] && [ "$base" != "$ZAPRET_BASE" ]; then
			OTHER_UNIT=$folder/zapret2.service
			OTHER_BASE=$base
			return 0
		fi
	done
	return 1
}

config_of_base() { # BASE: prints the path of its config
	local path
	path=$(sed -n 's,^ZAPRET_CONFIG=.{ZAPRET_CONFIG:-\(.*\)}$,\1,p' "$1/common/paths.sh" 2>/dev/null)
	printf '%s\n' "${path:-$1/config}"
}

# Two installations with one service: which of them it is has to be said, else systemd decides silently.
check_other_installation() {
	[ "$SYSTEM" = systemd ] && find_other_installation || return 0
	echo "* another installation"
	echo "the service zapret2 is that of $OTHER_BASE (unit $OTHER_UNIT, config $(config_of_base "$OTHER_BASE"))"
	ask_yes_no Y "shall it be that of $ZAPRET_BASE from now on, with the config $ZAPRET_CONFIG" ||
		exitp 3 "nothing was changed. Use the config $(config_of_base "$OTHER_BASE"), or remove the other installation."
	echo "the files of the other installation stay. Its custom scripts and lists are not taken over."
}

# The folder for our units: one that goes before those of another installation.
units_folder() {
	if find_other_installation; then
		echo /etc/systemd/system
	else
		echo "$SYSTEMD_DIR/system"
	fi
}

# The units name the folder /opt/zapret2; elsewhere they are changed on the way. One that somebody changed
# is kept beside ours.
install_units() {
	local unit folder new kept
	folder=$(units_folder)
	mkdir -p "$folder"
	new=$(mktemp "${TMPDIR:-/tmp}/zapret2.XXXXXX") || return 1
	for unit in $UNITS; do
		sed "s,/opt/zapret2/,$(printf '%s' "$ZAPRET_BASE" | sed 's/[&,\\]/\\&/g')/,g" \
			"$ZAPRET_BASE/init.d/systemd/$unit" >"$new" || return 1
		if [ -f "$folder/$unit" ] && ! cmp -s "$new" "$folder/$unit"; then
			kept="$ZAPRET_BASE/init.d/systemd/$unit.old-$(date +%Y%m%d-%H%M%S)"
			cp -p "$folder/$unit" "$kept" || return 1
			echo "the unit that was there is kept as $kept"
		fi
		rm -f "$folder/$unit"
		cp "$new" "$folder/$unit" && chmod 644 "$folder/$unit" || return 1
	done
	rm -f "$new"
	systemctl daemon-reload
}

# Units of another installation are left alone.
remove_units() {
	local unit folder
	for unit in $UNITS; do
		systemctl disable "$unit" 2>/dev/null
	done
	for folder in $UNIT_FOLDERS; do
		[ "$(unit_base "$folder/zapret2.service")" = "$ZAPRET_BASE" ] || continue
		for unit in $UNITS; do
			rm -f "$folder/$unit"
		done
	done
	systemctl daemon-reload
	find_other_installation && echo "the service zapret2 of $OTHER_BASE is still installed, not enabled (unit $OTHER_UNIT)"
	return 0
}

# --- service: stop, autostart, start ----------------------------------------------------------------

init_script() { # prints the script that does the work on this system
	case $SYSTEM in
	openwrt) echo "$ZAPRET_BASE/init.d/openwrt/zapret2" ;;
	openrc) echo "$ZAPRET_BASE/init.d/openrc/zapret2" ;;
	*) echo "$ZAPRET_BASE/init.d/sysv/zapret2" ;;
	esac
}

service_is_running() { # a daemon of the service, whichever installation it is of
	local file pid
	for file in /var/run/nfqws2_*.pid; do
		if [ -f "$file" ] && read -r pid <"$file" && is_number "$pid" &&
			[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = nfqws2 ]; then
			return 0
		fi
	done
	return 1
}

# What an installation stops it starts again, should it end before its end.
service_stop_for_install() {
	service_is_running && INSTALL_STOPPED=1
	service_stop
}

service_start_again() {
	case $SYSTEM in
	systemd) systemctl start zapret2 ;;
	openrc) rc-service zapret2 start ;;
	openwrt) "$INIT_LINK" start ;;
	*) "$ZAPRET_TARGET/init.d/sysv/zapret2" start >/dev/null ;;
	esac
}

service_stop() {
	echo "* stopping the running service"
	stop_waiting_update
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
	*)
		if service_is_running && [ -x "$ZAPRET_TARGET/init.d/sysv/zapret2" ]; then
			"$ZAPRET_TARGET/init.d/sysv/zapret2" stop
		fi
		;;
	esac
	return 0
}

# A script that is no link is of a package or of the user: it is kept.
link_init_script() {
	local kept
	if [ -f "$INIT_LINK" ] && [ ! -L "$INIT_LINK" ]; then
		kept="$ZAPRET_BASE/init.d/zapret2.old-$(date +%Y%m%d-%H%M%S)"
		mv "$INIT_LINK" "$kept" || exitp 20 "the init script can not be replaced"
		echo "the init script that was there is kept as $kept"
	fi
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
	[ ! -L "$INIT_LINK" ] || rm -f "$INIT_LINK"
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

# The account that the service made for its daemons, not one that was there.
remove_created_user() {
	local file="$ZAPRET_RW/.created-user" name
	[ -f "$file" ] && read -r name <"$file" || return 0
	case $name in
	'' | root | *[!A-Za-z0-9_-]*) return 0 ;;
	esac
	if id -u "$name" >/dev/null 2>&1; then
		echo "removing the user $name, which the service had made"
		if exists userdel; then
			userdel "$name"
		else
			deluser "$name"
		fi >/dev/null 2>&1 || echo "WARNING: the user $name could not be removed"
	fi
	rm -f "$file"
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
	grep -vF -e "$CRON_MARK" -e "$CRON_STATE_MARK"
	return 0
}

cron_with_ours() { # HOUR_MIN HOUR_MAX
	cron_without_ours
	echo "$(random 0 59) $(random "$1" "$2") */2 * * $ZAPRET_BASE/ipset/get_config.sh scheduled"
}

cron_with_state() {
	cat
	echo "$(random 0 59) $(random 0 6) * * * /etc/init.d/$CRON_STATE_MARK"
}

crontab_add() { # HOUR_MIN HOUR_MAX
	crontab_change cron_with_ours "$1" "$2"
}

crontab_del() {
	exists crontab && crontab -l 2>/dev/null | grep -qF -e "$CRON_MARK" -e "$CRON_STATE_MARK" || return 0
	echo "removing the crontab entry"
	crontab_change cron_without_ours
}

run_folders() { # prints where the service may have its state as long as the system runs
	[ -z "$ZAPRET_RUN" ] || printf '%s\n' "$ZAPRET_RUN"
	printf '%s\n' /run/zapret2 /var/run/zapret2
}

# An update that waits for its next try ends when this is gone.
stop_waiting_update() {
	run_folders | while IFS= read -r folder; do
		rm -f "$folder/list-update.waiting"
	done
}

# How the last update went is no news where there are none any more.
forget_list_updates() {
	rm -f "$ZAPRET_RW/ipset/.update-status"
	run_folders | while IFS= read -r folder; do
		rm -f "$folder/list-update"
	done
}

schedule_is_there() { # can lists be updated by the clock?
	[ "$SYSTEM" = systemd ] || exists crontab
}

schedule_install() {
	echo "* scheduling list updates"
	crontab_del
	[ -n "$GETLIST" ] || forget_list_updates
	case $SYSTEM in
	systemd)
		if [ -z "$GETLIST" ]; then
			systemctl disable zapret2-list-update.timer 2>/dev/null
			return 0
		fi
		systemctl enable zapret2-list-update.timer && systemctl start zapret2-list-update.timer
		;;
	openwrt)
		[ -z "$GETLIST" ] || crontab_add 0 6
		exists crontab || return 0
		crontab_change cron_with_state
		/etc/init.d/cron enabled || /etc/init.d/cron enable
		/etc/init.d/cron start
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
