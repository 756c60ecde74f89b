# Virtual machines, whose network often changes packets. Sourced.
# shellcheck shell=dash

get_virt() { # prints the name of the hypervisor, or nothing
	local vendor
	if exists systemd-detect-virt; then
		systemd-detect-virt --vm 2>/dev/null | grep -v '^none$'
		return 0
	fi
	vendor=$(cat /sys/class/dmi/id/sys_vendor 2>/dev/null)
	case $vendor in
	*VMware*) echo vmware ;;
	*QEMU*) echo kvm ;;
	*innotek*) echo virtualbox ;;
	*Xen*) echo xen ;;
	*Microsoft*) grep -qi virtual /sys/class/dmi/id/product_name 2>/dev/null && echo microsoft ;;
	*Parallels*) echo parallels ;;
	esac
	return 0
}

check_virt() {
	local virt
	virt=$(get_virt)
	[ -n "$virt" ] || return 0
	echo "* checking virtualization"
	echo "this is a virtual machine ($virt): packets may be changed on their way through the host."
	echo "Use a bridged network, not NAT, where strategies do not work as expected."
}
