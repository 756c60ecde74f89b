# What the installer tells: its words, the plan before it begins, where it is, and the page at its end. Sourced by
# installer.sh. Nothing here changes anything.
# shellcheck shell=dash disable=SC2034,SC2154 # variables are for the scripts that source this

installer_usage() {
	cat <<-USAGE
		Usage: $0 [make] [--yes] [--dry-run] [--set=NAME=VALUE]...
		  make        builds the programs from source, even where ready-made ones are there
		  --yes       takes the default of every question, asks nothing
		  --dry-run   shows the plan with each file that would be replaced, and changes nothing
		  --set       a setting of the config, instead of the answer to a question
	USAGE
}

# Sets INSTALL_MAKE, INSTALL_YES, INSTALL_DRY and INSTALL_SET, which the installer of the new place inherits.
parse_installer_words() { # WORDS...
	local word
	for word; do
		case $word in
		make) INSTALL_MAKE='make' ;;
		-y | --yes) INSTALL_YES=1 ;;
		-n | --dry-run) INSTALL_DRY=1 ;;
		--set=[A-Z]*=*)
			check_setting "${word#--set=}"
			INSTALL_SET="$INSTALL_SET${word#--set=}
"
			;;
		-h | --help)
			installer_usage
			exit 0
			;;
		*)
			echo "unknown word: $word" >&2
			installer_usage >&2
			exit 1
			;;
		esac
	done
	export INSTALL_MAKE INSTALL_YES INSTALL_DRY INSTALL_SET
}

# Settings are those of config.default and of custom scripts, ours and the user's: what these read or set. A misspelt one
# would do nothing.
setting_is_known() { # NAME
	local folder
	grep -q "^#\{0,1\}$1=" "$ZAPRET_CONFIG_DEFAULT" && return 0
	for folder in "$EXEDIR" "$ZAPRET_TARGET" "$ZAPRET_RW"; do
		cat "$folder"/init.d/custom.d.examples.linux/* "$folder"/init.d/*/custom.d/* 2>/dev/null
	done | grep -v '^[[:space:]]*#' | grep -qE "[$]\{?$1([^A-Za-z0-9_]|\$)|(^|[[:space:];&|(])$1="
}

check_setting() { # NAME=VALUE: ends the installer unless it can be a setting
	local name=${1%%=*}
	case $name in
	# The config is read by a shell: these are not for it to change.
	*[!A-Z0-9_]* | PATH | IFS | HOME | ENV | ZAPRET_*) exitp 1 "--set=$1: no name of a setting" ;;
	esac
	setting_is_known "$name" || exitp 1 "--set=$1: neither config.default nor a custom script has $name"
	case $1 in
	*"
"*) exitp 1 "--set=$name: the value must be one line" ;;
	esac
}

# Settings of --set, before the questions: what they ask for has this default then.
apply_settings() {
	local line name
	[ -n "$INSTALL_SET" ] || return 0
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		check_setting "$line"
		name=${line%%=*}
		eval "$name=\${line#*=}"
		write_config_vars "$name"
		echo "setting : $line"
	done <<-SETTINGS
		$INSTALL_SET
	SETTINGS
}

# --- where it is ------------------------------------------------------------------------------------

PHASES='programs files settings service lists start'

phase() { # NAME
	local name number=0 all=0
	for name in $PHASES; do
		all=$((all + 1))
		[ "$name" = "$1" ] && number=$all
	done
	printf '\n[%s/%s] %s\n' "$number" "$all" "$1"
}

# --- the plan ---------------------------------------------------------------------------------------

plan_line() { # NAME TEXT
	printf '  %-10s %s\n' "$1" "$2"
}

# What is done with each file of this version: new, replaced, same, kept.
plan_files() { # FROM TO: prints KIND PATH
	local name path files="$RUNTIME_FILES"
	[ "$SYSTEM" = openwrt ] || files="$files $RUNTIME_DOCS"
	for name in $files; do
		[ ! -e "$1/$name" ] || (cd "$1" && find "$name" ! -type d)
	done | grep -v -e '^lua/lib/' -e '/\.keep$' | while IFS= read -r path; do
		if ! there "$2/$path"; then
			echo "new $path"
		elif is_users "$path"; then
			echo "kept $path"
		elif same_file "$1/$path" "$2/$path"; then
			echo "same $path"
		else
			echo "replaced $path"
		fi
	done
	plan_dropped "$1" "$2"
}

# Files of the version that is there, unchanged, which this one does not have.
plan_dropped() { # FROM TO
	local sum path
	[ -f "$2/$OWN_FILES" ] || return 0
	while read -r sum path; do
		path=${path#./}
		there "$1/$path" && continue
		is_users "$path" && continue
		[ -f "$2/$path" ] && [ ! -L "$2/$path" ] && [ "$(md5f <"$2/$path")" = "$sum" ] && echo "dropped $path"
	done <"$2/$OWN_FILES"
	return 0
}

# Why ready-made programs of this processor are not used.
plan_unfit() {
	[ "$INSTALL_MAKE" != make ] || return 0
	sh "$ZAPRET_BASE/install_bin.sh" getarch 2>&1 >/dev/null | sed '/^no compatible/d' | while read -r line; do
		plan_line "" "$line"
	done
}

plan_programs() {
	local arch
	if [ "$INSTALL_MAKE" != make ] && arch=$(sh "$ZAPRET_BASE/install_bin.sh" getarch 2>/dev/null); then
		plan_line programs "ready-made ones for $arch"
	elif [ -f "$ZAPRET_BASE/bootstrap" ]; then
		plan_line programs "built from source, which takes minutes; missing build tools are installed"
		plan_unfit
	else
		plan_line programs "none for this machine, and no source to build them from: it will end here"
	fi
}

# A script in the place of a program may be a wrapper of somebody else, which is not to be called.
version_of() { # PROGRAM: prints its first line, nothing if it does not run
	[ -x "$1" ] && head -c 4 "$1" | LC_ALL=C grep -q ELF && "$1" --version 2>/dev/null | head -n 1
}

plan_versions() {
	local arch new now
	arch=$(sh "$ZAPRET_BASE/install_bin.sh" getarch 2>/dev/null)
	new=$(version_of "$ZAPRET_BASE/binaries/$arch/nfqws2")
	now=$(version_of "$ZAPRET_TARGET/nfq2/nfqws2")
	[ -z "$new" ] || [ "$INSTALL_MAKE" = make ] || plan_line version "$new"
	[ -z "$now" ] || plan_line "" "there is : $now"
}

plan_place() {
	if [ "$EXEDIR" = "$ZAPRET_TARGET" ] || [ "$(get_dir_inode "$EXEDIR")" = "$(get_dir_inode "$ZAPRET_TARGET")" ]; then
		plan_line files "stay where they are, in $ZAPRET_TARGET"
	elif [ ! -d "$ZAPRET_TARGET" ]; then
		plan_line files "copied from $EXEDIR to $ZAPRET_TARGET, which is new"
	else
		plan_line files "copied from $EXEDIR over those of the program in $ZAPRET_TARGET"
		plan_line "" "those that differ go to $ZAPRET_TARGET.old-DATE; all that is not the program's stays"
	fi
}

planned_config() { # prints the config that counts, or will
	if [ "$ZAPRET_BASE" = "$ZAPRET_TARGET" ]; then
		echo "$ZAPRET_CONFIG"
	else
		echo "$ZAPRET_TARGET/config"
	fi
}

plan_config() {
	local config ZAPRET_BASE=$ZAPRET_BASE
	config=$(planned_config)
	ZAPRET_BASE=$ZAPRET_TARGET
	if [ -f "$config" ]; then
		plan_line settings "$config is kept; what you are asked for is changed in it"
	elif [ "$SYSTEM" = systemd ] && find_other_installation; then
		plan_line settings "$config, new, with those of $(config_of_base "$OTHER_BASE")"
	else
		plan_line settings "$config, new, from config.default"
	fi
	[ -z "$INSTALL_SET" ] || plan_line "" "set : $(printf '%s' "$INSTALL_SET" | tr '\n' ' ')"
}

plan_service() {
	local ZAPRET_BASE=$ZAPRET_TARGET
	case $SYSTEM in
	systemd)
		plan_line service "units in $(units_folder), enabled, started at the end"
		service_is_running && plan_line "" "the service that runs is stopped meanwhile, and started again if this fails"
		;;
	openrc | openwrt) plan_line service "$INIT_LINK, enabled, started at the end" ;;
	*) plan_line service "not installed: the init system is not known" ;;
	esac
	if schedule_is_there; then
		plan_line schedule "an update of the lists every two days, if a list is chosen"
	else
		plan_line schedule "none: there is no crontab, so a list is updated when you do it"
	fi
}

# Which firewall it will be is asked for later. Here the config is data: only the service runs it.
planned_fwtype() { # prints what --set or the config names, else what is there, else what will be installed
	local type
	type=$({ cat "$(planned_config)" 2>/dev/null; printf '%s' "$INSTALL_SET"; } | tr -d "\"'" |
		sed -n 's/^FWTYPE=\([a-z]*\).*/\1/p' | tail -n 1)
	case $type in
	iptables | nftables) ;;
	*)
		type=nftables
		exists nft || ! linux_ipt_avail || type=iptables
		;;
	esac
	echo "$type"
}

plan_packages() {
	local missing FWTYPE
	if [ "$SYSTEM" = openwrt ]; then
		plan_line packages "those of the chosen firewall that are missing, and curl, by $(exists opkg && echo opkg || echo apk)"
		return
	fi
	FWTYPE=$(planned_fwtype)
	missing=$(missing_programs | tr '\n' ' ')
	if [ -n "$missing" ]; then
		plan_line packages "to be installed, since $FWTYPE needs what is missing : $missing"
	else
		plan_line packages "nothing is missing"
	fi
}

show_plan() {
	echo
	echo "the plan"
	plan_programs
	plan_versions
	plan_place
	plan_config
	plan_packages
	plan_service
}

# Of --dry-run: each file, and the end.
show_dry_run() {
	local kind count
	if [ "$(get_dir_inode "$EXEDIR")" != "$(get_dir_inode "$ZAPRET_TARGET")" ]; then
		echo
		echo "files"
		plan_files "$EXEDIR" "$ZAPRET_TARGET" | sort | awk '
			{ count[$1]++ }
			$1 == "replaced" || $1 == "dropped" || $1 == "kept" { print "  " $0 }
			END { printf "  %d new, %d replaced, %d dropped, %d the same, %d of yours kept\n",
				count["new"], count["replaced"], count["dropped"], count["same"], count["kept"] }'
	fi
	echo
	echo "nothing was changed"
}

# --- the page at the end ----------------------------------------------------------------------------

show_result() {
	local ctl="$ZAPRET_BASE/nfq2/nfqws2ctl" script
	script=$(init_script)
	echo
	echo "installation is complete"
	echo
	echo "installed"
	plan_line program "$ZAPRET_BASE : $(version_of "$ZAPRET_BASE/nfq2/nfqws2")"
	case $SYSTEM in
	linux) plan_line service "none; to start : $script start" ;;
	*) plan_line service "zapret2 ($SYSTEM), enabled, $(service_is_running && echo running || echo 'no daemon runs')" ;;
	esac
	plan_line firewall "$FWTYPE"
	if [ -n "$GETLIST" ] && ! schedule_is_there; then
		plan_line lists "$GETLIST, when you run it: there is no crontab; MODE_FILTER=$MODE_FILTER"
	elif [ -n "$GETLIST" ]; then
		plan_line lists "$GETLIST, every two days; MODE_FILTER=$MODE_FILTER"
	else
		plan_line lists "none is downloaded; MODE_FILTER=$MODE_FILTER"
	fi
	echo
	echo "yours: updates never touch it"
	plan_line settings "$ZAPRET_CONFIG"
	plan_line hosts "$ZAPRET_RW/ipset/zapret-hosts-user.txt, zapret-hosts-user-exclude.txt"
	plan_line scripts "${CUSTOM_DIR:-$ZAPRET_RW/init.d/$([ "$SYSTEM" = openwrt ] && echo openwrt || echo sysv)}/custom.d"
	echo
	echo "to see that it works"
	[ ! -x "$ctl" ] || plan_line "" "$ctl doctor"
	plan_line "" "$script status"
	[ "$SYSTEM" != systemd ] || plan_line "" "journalctl -u zapret2"
	if [ "$NFQWS2_ENABLE" != 1 ]; then
		echo
		echo "nothing is treated yet: NFQWS2_ENABLE=0. $ZAPRET_BASE/blockcheck2.sh finds a strategy for NFQWS2_OPT"
	fi
	echo
	echo "to remove the service : $ZAPRET_BASE/uninstall_easy.sh"
}
