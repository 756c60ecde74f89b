# Putting a version of the program over another one. Sourced by installer.sh.
# shellcheck shell=dash disable=SC2034,SC2154 # variables are for the scripts that source this
#
# Theory of operation. The new files are gathered in a folder beside (COPY_STAGE). Then the service is
# stopped, and one file after another is moved to its place. Only files of ours are touched: what else is in
# the installation, wherever it lies, belongs to the user. A file that is replaced, or was ours and unchanged
# and is no part of the new version, is moved to COPY_SAVED (TARGET.old-DATE), whose tree is that of the
# installation, so copying it back is the old version. Each step is written to a journal before it is done;
# an installation that ends before its end, at whatever moment, goes the journal backwards and starts the
# service that it stopped. The installer of the new place runs as a child, so the first one keeps this duty.

# What a running installation consists of. A router gets no documentation.
RUNTIME_FILES='common config.default files init.d ipset lua binaries blockcheck2.sh blockcheck2.d
install_easy.sh install_bin.sh install_prereq.sh uninstall_easy.sh'
RUNTIME_DOCS='LICENSE README.md README.ru.md docs'
# Names and checksums of what was installed: what is listed and unchanged may go with the version.
OWN_FILES=.own-files
COPY_JOURNAL=.journal
# Made by the installation itself, replaced in place.
COPY_CHANGED='config nfq2/nfqws2 nfq2/nfqws2ctl ip2net/ip2net mdig/mdig probe/blockprobe'

there() { # PATH: is anything of this name there, even a broken link?
	[ -e "$1" ] || [ -L "$1" ]
}

same_file() { # A B: of the same content, or links to the same name
	if [ -L "$1" ] || [ -L "$2" ]; then
		[ "$(readlink "$1")" = "$(readlink "$2")" ]
	else
		cmp -s "$1" "$2"
	fi
}

# --- gathering ------------------------------------------------------------------------------------

# The files that strategies name. A file that is there may be the user's own.
place_fakes() { # FROM TO
	local from="$1/files/fake" file
	[ -d "$from" ] || from="$1/build/release/files/fake"
	mkdir -p "$2/files/fake" || return 1
	if [ ! -d "$from" ] && [ -f "$1/src/tools/fake-blobs/make.py" ] && exists python3; then
		from=$(mktemp -d "${TMPDIR:-/tmp}/zapret2.XXXXXX") || return 1
		python3 -B "$1/src/tools/fake-blobs/make.py" "$from"
		COPY_MADE=$from
	fi
	for file in "$from"/*.bin; do
		[ -f "$file" ] || continue
		there "$2/files/fake/${file##*/}" || cp "$file" "$2/files/fake/" || return 1
	done
	[ -z "$COPY_MADE" ] || rm -rf "$COPY_MADE"
	COPY_MADE=
	dir_is_not_empty "$2/files/fake" ||
		echo "WARNING: there are no files for files/fake: strategies that name them will not start"
	return 0
}

gather() { # FROM TO
	local name files="$RUNTIME_FILES"
	[ "$SYSTEM" = openwrt ] || files="$files $RUNTIME_DOCS"
	for name in $files; do
		if [ -e "$1/$name" ]; then
			cp -R "$1/$name" "$2/" || return 1
		fi
	done
	# zapret-lib.lua is these chapters already.
	rm -rf "$2/lua/lib"
	place_fakes "$1" "$2" || return 1
	mkdir -p "$2/init.d/sysv/custom.d" "$2/init.d/openwrt/custom.d" || return 1
	find "$2" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
	fix_permissions "$2"
	if exists md5sum; then
		(cd "$2" && find . -type f ! -path './binaries/*' -exec md5sum {} +) >"$2.own" || return 1
		mv "$2.own" "$2/$OWN_FILES"
	fi
}

# Ours belong to root, since root runs them. Folders that were given to the daemon's user stay his. A script
# that can be executed stays so at every moment.
fix_permissions() { # FOLDER
	local name
	for name in $RUNTIME_FILES $RUNTIME_DOCS config; do
		there "$1/$name" || continue
		chown -R -h 0:0 "$1/$name"
		find "$1/$name" -name custom.d -prune -o -path "$1/files" -prune -o ! -type l -exec chmod u+rw,go-w {} +
	done
	open_ours "$1"
	for name in "$1"/*.sh "$1"/ipset/*.sh "$1"/binaries/*/* "$1"/init.d/sysv/zapret2 "$1"/init.d/openrc/zapret2 \
		"$1"/init.d/openwrt/zapret2 "$1"/init.d/openwrt/90-zapret2 "$1"/init.d/openwrt/firewall.zapret2 \
		"$1"/init.d/runit/zapret2/*; do
		[ -f "$name" ] && chmod 755 "$name"
	done
	[ ! -f "$1/ipset/def.sh" ] || chmod 644 "$1/ipset/def.sh"
}

# The daemon's user may read what is ours, whatever the umask was. What a user has put beside it stays as closed
# as it is.
open_ours() { # FOLDER
	local name
	for name in common init.d blockcheck2.d binaries; do
		[ ! -d "$1/$name" ] || find "$1/$name" -name custom.d -prune -o -type d -exec chmod 755 {} + \
			-o -type f -exec chmod go+r {} +
	done
	for name in "$1/ipset" "$1/lua" "$1/docs" "$1/docs/contracts"; do
		[ ! -d "$name" ] || [ -L "$name" ] || chmod 755 "$name"
	done
	for name in "$1"/*.sh "$1"/config.default "$1"/ipset/*.sh "$1"/lua/zapret-*.lua "$1"/docs/*.md "$1"/docs/*/*.md; do
		[ ! -f "$name" ] || [ -L "$name" ] || chmod go+r "$name"
	done
}

# --- one file after another -----------------------------------------------------------------------

# Files that a user changes, makes or replaces: never taken from a new version when they are there.
is_users() { # PATH
	case $1 in
	config | init.d/*/custom.d/* | ipset/*.txt | ipset/*.gz | ipset/*.log | files/*) return 0 ;;
	esac
	return 1
}

# KIND: "saved" of what was moved or copied to COPY_SAVED, "new" of a file and "folder" of a folder where
# nothing was.
copy_note() { # KIND PATH
	printf '%s\n' "$1 $2" >>"$COPY_SAVED/$COPY_JOURNAL"
}

copy_folder() { # PATH: makes a folder of the installation, with those above it
	[ ! -d "$COPY_TARGET/$1" ] || return 0
	case $1 in
	*/*) copy_folder "${1%/*}" || return 1 ;;
	esac
	if there "$COPY_TARGET/$1"; then
		copy_save "$1" || return 1
	fi
	copy_note folder "$1"
	mkdir "$COPY_TARGET/$1"
}

copy_save() { # PATH: moves a file of the installation away
	case $1 in
	*/*) mkdir -p "$COPY_SAVED/${1%/*}" || return 1 ;;
	esac
	copy_note saved "$1"
	mv "$COPY_TARGET/$1" "$COPY_SAVED/$1"
}

copy_put() { # PATH: a file of the new version
	local new="$COPY_STAGE/$1" now="$COPY_TARGET/$1"
	if there "$now"; then
		is_users "$1" && return 0
		same_file "$new" "$now" && return 0
		copy_save "$1" || return 1
	else
		case $1 in
		*/*) copy_folder "${1%/*}" || return 1 ;;
		esac
		copy_note new "$1"
	fi
	mv "$new" "$now"
}

copy_drop() { # PATH CHECKSUM: a file of the old version that the new one does not have
	there "$COPY_STAGE/$1" && return 0
	is_users "$1" && return 0
	[ -f "$COPY_TARGET/$1" ] && [ ! -L "$COPY_TARGET/$1" ] || return 0
	[ "$(md5f <"$COPY_TARGET/$1")" = "$2" ] || return 0
	copy_save "$1"
}

copy_over() {
	local path sum list
	for path in $COPY_CHANGED; do
		there "$COPY_TARGET/$path" || continue
		case $path in
		*/*) mkdir -p "$COPY_SAVED/${path%/*}" || return 1 ;;
		esac
		cp -pPR "$COPY_TARGET/$path" "$COPY_SAVED/$path.part" || return 1
		copy_note saved "$path"
		mv "$COPY_SAVED/$path.part" "$COPY_SAVED/$path" || return 1
	done
	if [ -f "$COPY_TARGET/$OWN_FILES" ]; then
		while read -r sum path; do
			copy_drop "${path#./}" "$sum" || return 1
		done <"$COPY_TARGET/$OWN_FILES"
	fi
	list=$(cd "$COPY_STAGE" && find . ! -type d) || return 1
	while read -r path; do
		copy_put "${path#./}" || return 1
	done <<-LIST
		$list
	LIST
	for path in init.d/sysv/custom.d init.d/openwrt/custom.d; do
		copy_folder "$path" || return 1
	done
}

# --- the end, good or bad -------------------------------------------------------------------------

copy_make_saved() { # TARGET: sets COPY_SAVED
	local tries=0
	COPY_SAVED=
	while [ "$tries" -lt 5 ]; do
		COPY_SAVED="$1.old-$(date +%Y%m%d-%H%M%S)"
		mkdir "$COPY_SAVED" 2>/dev/null && return 0
		tries=$((tries + 1))
		sleep 1
	done
	COPY_SAVED=
	return 1
}

copy_discard_stage() {
	[ -z "$COPY_STAGE" ] || rm -rf "$COPY_STAGE" "$COPY_STAGE.own"
	[ -z "$COPY_MADE" ] || rm -rf "$COPY_MADE"
	COPY_STAGE=
}

# Takes the journal backwards. What was saved comes back; what was put where nothing was goes.
copy_undo() {
	local kind path
	[ -n "$COPY_SAVED" ] && [ -d "$COPY_SAVED" ] || return 0
	if [ -f "$COPY_SAVED/$COPY_JOURNAL" ]; then
		echo "restoring the files of the old version"
		sed -n '1!G;h;$p' "$COPY_SAVED/$COPY_JOURNAL" | while read -r kind path; do
			copy_undo_step "$kind" "$path"
		done
	fi
	rm -f "$COPY_SAVED/$COPY_JOURNAL"
	for path in $COPY_CHANGED; do
		rm -f "$COPY_SAVED/$path.part"
	done
	copy_remove_empty
	[ ! -d "$COPY_SAVED" ] || echo "WARNING: not everything could be restored. The rest is in $COPY_SAVED"
}

copy_undo_step() { # KIND PATH
	local now="$COPY_TARGET/$2" saved="$COPY_SAVED/$2"
	case $1 in
	saved)
		there "$saved" || return 0
		rm -f "$now" && mv "$saved" "$now"
		;;
	# Still in the stage: noted, but not done.
	new)
		if [ -z "$COPY_STAGE" ] || ! there "$COPY_STAGE/$2"; then
			rm -f "$now"
		fi
		;;
	folder) rmdir "$now" 2>/dev/null ;;
	esac
}

copy_remove_empty() { # folders of COPY_SAVED with nothing in them
	find "$COPY_SAVED" -depth -type d -exec rmdir {} \; 2>/dev/null
	return 0
}

# The installation stands: what was saved is the user's now.
copy_done() {
	local count path
	[ -n "$COPY_SAVED" ] && [ -d "$COPY_SAVED" ] || return 0
	rm -f "$COPY_SAVED/$COPY_JOURNAL" "$COPY_SAVED/$OWN_FILES"
	for path in $COPY_CHANGED; do
		same_file "$COPY_SAVED/$path" "$COPY_TARGET/$path" && rm -f "$COPY_SAVED/$path"
	done
	count=$(find "$COPY_SAVED" ! -type d | wc -l)
	copy_remove_empty
	[ ! -d "$COPY_SAVED" ] || echo "$((count)) files that were replaced are kept in $COPY_SAVED"
	COPY_SAVED=
}

# On any end of the installer before its end.
install_interrupted() {
	local code=$?
	trap '' INT TERM HUP QUIT PIPE
	trap - EXIT
	if [ -n "$INSTALL_CHILD" ]; then
		kill "$INSTALL_CHILD" 2>/dev/null
		wait "$INSTALL_CHILD"
	fi
	discard_written_config
	[ "$code" != 0 ] && copy_undo
	copy_discard_stage
	if [ "$code" != 0 ] && [ "$INSTALL_STOPPED" = 1 ]; then
		echo "starting the service again"
		service_start_again
	fi
	exit "$code"
}

install_guard() {
	trap install_interrupted EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 131' QUIT
	trap 'exit 141' PIPE
	trap 'exit 143' TERM
}

# The new tree comes beside the old one, then file by file into it. Stops the service in between.
copy_all() { # FROM TO
	COPY_TARGET=$2
	COPY_STAGE=$(mktemp -d "$2.new-XXXXXX") || return 1
	gather "$1" "$COPY_STAGE" || return 1
	chmod 755 "$COPY_STAGE"
	if [ ! -d "$2" ]; then
		mv "$COPY_STAGE" "$2" || return 1
		COPY_STAGE=
		return 0
	fi
	copy_make_saved "$2" || return 1
	service_stop_for_install
	copy_over || return 1
	copy_discard_stage
}
