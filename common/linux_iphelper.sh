# Network devices as sysfs shows them. Sourced.
# shellcheck shell=dash

device_exists() { # DEV
	[ -d "/sys/class/net/$1" ]
}

device_is_bridge() { # DEV
	[ -d "/sys/class/net/$1/bridge" ]
}

# The devices below DEV: ports of a bridge, the parent of a VLAN.
get_lower_devices() { # DEV
	local path
	for path in "/sys/class/net/$1"/lower_*; do
		[ -e "$path" ] && printf '%s\n' "${path##*/lower_}"
	done
	return 0
}
