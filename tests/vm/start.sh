#!/bin/sh
# The first process on the machine's final root: start.sh plain|systemd|shell.
here=$(cd "$(dirname "$0")" && pwd)
hostname nfqws2-lab
# Nothing of what the host has set up or left lying about.
rm -rf /etc/systemd/system /etc/zapret2 /opt/zapret2
mkdir -p /etc/systemd/system /run/netns

finish() {
	sync
	umount /run/results 2>/dev/null
	echo "the lab ends"
	busybox reboot -f
}

case $1 in
systemd)
	python3 "$here/guest.py" --prepare || finish
	exec /lib/systemd/systemd --log-level=warning --show-status=0
	;;
shell)
	ip link set lo up
	echo "A shell in the lab; what it writes is lost at its end, except below /run/results."
	setsid -c sh -i <>/dev/ttyS0 >&0 2>&1
	;;
*)
	ip link set lo up
	python3 "$here/guest.py"
	;;
esac
finish
