# Steps of the installer that do not belong to one init system. Sourced; ZAPRET_BASE is set.
# shellcheck shell=dash disable=SC2034 # variables are for the scripts that source this

ZAPRET_TARGET=${ZAPRET_TARGET:-/opt/zapret2}
# Units and links name the installation by this name, also where it is a link to a bigger disk.
[ "$(readlink -f "$ZAPRET_TARGET")" != "$(readlink -f "$ZAPRET_BASE")" ] || ZAPRET_BASE=$ZAPRET_TARGET
# shellcheck source=/dev/null
[ -f "$ZAPRET_BASE/common/paths.sh" ] && . "$ZAPRET_BASE/common/paths.sh"
ZAPRET_RW=${ZAPRET_RW:-"$ZAPRET_BASE"}
ZAPRET_CONFIG=${ZAPRET_CONFIG:-"$ZAPRET_RW/config"}
ZAPRET_CONFIG_DEFAULT="$ZAPRET_BASE/config.default"
ZAPRET_FAILED=0
for installer_part in config config_write base fwtype dialog elevate virt installer_service installer_copy installer_plan; do
	# shellcheck source=/dev/null
	. "$ZAPRET_BASE/common/$installer_part.sh"
done

exitp() { # CODE [TEXT]
	[ -n "$2" ] && echo "$2" >&2
	exit "$1"
}

# --- config ---------------------------------------------------------------------------------------

create_config() { # from config.default, when there is none
	local from="$ZAPRET_CONFIG_DEFAULT"
	[ -f "$ZAPRET_CONFIG" ] && return 0
	# Who had the other installation before wants its settings.
	[ -n "$OTHER_BASE" ] && [ -f "$(config_of_base "$OTHER_BASE")" ] && from=$(config_of_base "$OTHER_BASE")
	echo "creating config : $ZAPRET_CONFIG, from $from"
	mkdir -p "$(dirname "$ZAPRET_CONFIG")"
	cp "$from" "$ZAPRET_CONFIG" || exitp 3 "the config can not be created"
	[ "$from" != "$ZAPRET_CONFIG_DEFAULT" ] || chmod 644 "$ZAPRET_CONFIG"
}

write_config_vars() { # NAME...
	local wcvs_name
	for wcvs_name; do
		write_config_var "$wcvs_name" || exitp 3 "the config can not be written"
	done
}

# --- system ---------------------------------------------------------------------------------------

check_system() { # sets SYSTEM, SUBSYS
	local init
	echo "* checking system"
	[ "$(uname)" = Linux ] || exitp 5 "the service runs on Linux. On BSD use the list scripts."
	init=$(cat /proc/1/comm 2>/dev/null)
	SYSTEMD_DIR=
	[ -d /lib/systemd ] && SYSTEMD_DIR=/lib/systemd
	[ -d /usr/lib/systemd ] && SYSTEMD_DIR=/usr/lib/systemd
	if [ "$init" = systemd ] && exists systemctl && [ -n "$SYSTEMD_DIR" ]; then
		SYSTEM=systemd
	elif [ -f /etc/openwrt_release ] && { exists opkg || exists apk; } && exists uci && [ "$init" = procd ]; then
		SYSTEM=openwrt
	elif exists rc-update && { [ "$init" = openrc-init ] || grep -q openrc /etc/inittab 2>/dev/null; }; then
		SYSTEM=openrc
	else
		echo "the init system is not known. Only files can be installed; you start the script by hand:"
		echo "$ZAPRET_TARGET/init.d/sysv/zapret2 start"
		# After the copy the installer starts again: no need to ask twice.
		if [ "$INSTALL_ANYWAY" != 1 ] && [ "$INSTALL_DRY" != 1 ]; then
			ask_to_continue "do you want to continue" || exitp 5
			export INSTALL_ANYWAY=1
		fi
		SYSTEM=linux
	fi
	echo "system is based on $SYSTEM"
}

# A root file system that forgets everything at reboot is no place for a service.
check_readonly_system() {
	[ -w /etc ] && return 0
	echo "/etc is not writable: the system seems to be read-only"
	ask_yes_no N "do you want to continue" || exitp 3
}

# --- programs -------------------------------------------------------------------------------------

programs_run() {
	sh "$ZAPRET_BASE/install_bin.sh" getarch >/dev/null 2>&1
}

# Programs of binaries/ that run here; otherwise they are built from the source beside.
check_bins() { # [make]
	local build="$ZAPRET_BASE/build/release" name
	echo "* checking executables"
	if [ "$1" != make ] && programs_run; then
		echo "found architecture $(sh "$ZAPRET_BASE/install_bin.sh" getarch)"
		return 0
	fi
	[ -f "$ZAPRET_BASE/bootstrap" ] || exitp 8 "no executables for this machine, and no source to build them from"
	echo "building from source: this takes some minutes, each line is a step of all"
	(cd "$ZAPRET_BASE" && ./bootstrap build && cmake --build build/release --target nfqws2 ip2net mdig) ||
		exitp 8 "the build failed"
	mkdir -p "$ZAPRET_BASE/binaries/my"
	for name in nfqws2 ip2net mdig; do
		cp -f "$build/$name" "$ZAPRET_BASE/binaries/my/$name" || exitp 8 "the build is not complete"
	done
	# They need libraries that not every system has.
	for name in nfqws2ctl blockprobe; do
		[ ! -f "$build/$name" ] || cp -f "$build/$name" "$ZAPRET_BASE/binaries/my/$name"
	done
	programs_run || exitp 8 "what was built does not run"
}

install_binaries() {
	echo "* installing binaries"
	sh "$ZAPRET_BASE/install_bin.sh" || exitp 8
}

# --- location -------------------------------------------------------------------------------------

# The service lives in ZAPRET_TARGET: go there, and start again from there.
check_location() { # SCRIPT
	local code
	echo "* checking location"
	if [ -d "$ZAPRET_TARGET" ] && [ "$(get_dir_inode "$EXEDIR")" = "$(get_dir_inode "$ZAPRET_TARGET")" ]; then
		fix_permissions "$ZAPRET_TARGET"
		place_fakes "$ZAPRET_TARGET" "$ZAPRET_TARGET"
		default_lists
		return 0
	fi
	echo "easy install is supported only from $ZAPRET_TARGET, this is $EXEDIR"
	[ -d "$ZAPRET_TARGET" ] && echo "$ZAPRET_TARGET is there: everything in it that is not a part of the program is kept."
	if ! ask_yes_no Y "do you want the installer to copy it for you"; then
		exitp 3 "run the installer from $ZAPRET_TARGET"
	fi
	copy_all "$EXEDIR" "$ZAPRET_TARGET" || exitp 3 "copying to $ZAPRET_TARGET failed"
	echo "relaunching itself from $ZAPRET_TARGET"
	unset ZAPRET_BASE ZAPRET_RW ZAPRET_CONFIG
	cd / || exit 3
	# This process waits, to put the old version back if the other one does not reach its end.
	exec 3<&0
	sh "$ZAPRET_TARGET/$1" <&3 3<&- &
	INSTALL_CHILD=$!
	wait "$INSTALL_CHILD"
	code=$?
	INSTALL_CHILD=
	[ "$code" = 0 ] || exit "$code"
	copy_done
	exit 0
}

default_lists() {
	local list="$ZAPRET_RW/ipset/zapret-hosts-user-exclude.txt"
	[ -f "$list" ] || cp "$ZAPRET_BASE/ipset/zapret-hosts-user-exclude.txt.default" "$list"
}

# --- checks ---------------------------------------------------------------------------------------

check_dns() {
	local mdig arch
	echo "* checking DNS"
	arch=$(sh "$ZAPRET_BASE/install_bin.sh" getarch 2>/dev/null)
	mdig="$ZAPRET_BASE/binaries/$arch/mdig"
	if [ -n "$(echo iana.org | "$mdig" --family=46 --eagain=2 2>/dev/null)" ]; then
		echo "system DNS works"
	else
		echo "WARNING: system DNS does not work. Lists can not be resolved nor downloaded."
	fi
}

detect_fwtype() { # prints the type that would be used without a choice
	local FWTYPE=''
	linux_fwtype
	echo "$FWTYPE"
}

select_fwtype() {
	local detected
	echo "* firewall type"
	detected=$(detect_fwtype)
	if [ "$detected" = unsupported ]; then
		# With nft there, it is the kernel that can not: iptables will be installed.
		detected=nftables
		! exists nft || detected=iptables
	fi
	echo "select firewall type :"
	ask_list FWTYPE "iptables nftables" "$detected"
	if [ "$FWTYPE" = nftables ] && exists nft && ! nft_queue_works; then
		echo "WARNING: nftables can not queue packets here (kernel module nft_queue). Its rules will be refused."
	fi
	write_config_vars FWTYPE
}

missing_programs() { # prints what the chosen firewall lacks
	local need=curl prog
	case $FWTYPE in
	iptables) need="$need iptables ip6tables ipset" ;;
	nftables) need="$need nft" ;;
	esac
	for prog in $need; do
		exists "$prog" || echo "$prog"
	done
}

install_packages() { # PACKAGE...
	if exists apt-get; then
		apt-get update && apt-get install -y --no-install-recommends "$@"
	elif exists dnf; then
		dnf -y install "$@"
	elif exists yum; then
		yum -y install "$@"
	elif exists pacman; then
		pacman -Sy --noconfirm --needed "$@"
	elif exists zypper; then
		zypper --non-interactive install "$@"
	elif exists eopkg; then
		eopkg -y install "$@"
	elif exists apk; then
		apk update && apk add "$@"
	else
		echo "no known package manager was found" >&2
		return 1
	fi
}

packages_of_programs() { # PROG...: names differ a little
	local prog
	for prog; do
		case $prog in
		ip6tables) exists apk && echo ip6tables ;;
		nft) echo nftables ;;
		*) echo "$prog" ;;
		esac
	done
}

check_prerequisites() {
	local missing packages
	echo "* checking prerequisites"
	if [ "$SYSTEM" = openwrt ]; then
		check_prerequisites_openwrt
		return
	fi
	missing=$(missing_programs)
	if [ -z "$missing" ]; then
		echo "everything is present"
		return 0
	fi
	# shellcheck disable=SC2086 # lists of words
	packages=$(packages_of_programs $missing)
	# shellcheck disable=SC2086 # the same
	echo "missing programs, to be installed : "$packages
	# shellcheck disable=SC2086 # the same
	install_packages $packages || exitp 6 "the packages could not be installed"
	[ -z "$(missing_programs)" ] || exitp 6 "could not install everything. Missing : $(missing_programs)"
}
