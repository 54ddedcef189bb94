#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# libvirt sees the parents, their types and an instance, as it sees those of
# hardware. Runs a libvirtd of its own with what a minimal test machine lacks,
# so run it in a test machine only.

set -u
TOP=$(cd "$(dirname "$0")/../../../.." && pwd)
# shellcheck source=tools/testing/selftests/lib/result.sh
. "$TOP/tools/testing/selftests/lib/result.sh"
PARENT=4d49:00:00.0
UUID=c0ffee00-0000-4000-8000-00000000d15c
LOG=$(mktemp)
PID=

v() { virsh -q -c qemu:///system "$@"; }

stop()
{
	[ -n "$PID" ] && kill "$PID"
	[ -e "/sys/bus/mdev/devices/$UUID" ] &&
		echo 1 > "/sys/bus/mdev/devices/$UUID/remove"
	rm -f "$LOG"
}
trap stop EXIT

# What packages' scripts and init would have made
prepare()
{
	mkdir -p /var/log/libvirt/qemu /var/lib/libvirt/qemu \
		/var/cache/libvirt/qemu /run/libvirt /etc/libvirt
	[ -s /etc/machine-id ] ||
		tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id
	getent group kvm > /dev/null || echo "kvm:x:64056:" >> /etc/group
	getent passwd libvirt-qemu > /dev/null ||
		echo "libvirt-qemu:x:64055:64055::/:/bin/false" >> /etc/passwd
	getent group libvirt-qemu > /dev/null ||
		echo "libvirt-qemu:x:64055:" >> /etc/group
	printf 'user = "root"\ngroup = "root"\n' > /etc/libvirt/qemu.conf
}

# It answers once all its drivers have started
wait_for_libvirtd()
{
	local i

	for ((i = 0; i < 300; i++)); do
		v nodedev-list --cap mdev_types > /dev/null 2>&1 && return 0
		kill -0 "$PID" 2> /dev/null || break
		sleep 0.1
	done
	sed 's/^/# /' "$LOG"
	return 1
}

# An event that libvirtd hears of by itself: poll with a generous deadline
wait_for_device()
{
	local i

	for ((i = 0; i < 300; i++)); do
		v nodedev-list --cap mdev | grep -q "$1" && return 0
		sleep 0.1
	done
	return 1
}

echo "TAP version 13"
echo 1..4
"$TOP/scripts/load" || exit 1
prepare
libvirtd > "$LOG" 2>&1 &
PID=$!

wait_for_libvirtd
result $? "libvirtd runs"

want=$(for d in /sys/class/mdev_bus/*; do
	basename "$d" | sed 's/[:.]/_/g; s/^/pci_/'
done | sort)
test "$(v nodedev-list --cap mdev_types | sort)" = "$want"
result $? "libvirt lists every parent as one of mediated devices"

xml=$(v nodedev-dumpxml "pci_${PARENT//[:.]/_}")
missing=0
for t in "/sys/class/mdev_bus/$PARENT"/mdev_supported_types/*; do
	grep -q "<type id='$(basename "$t")'>" <<< "$xml" || missing=1
done
result $missing "libvirt shows the types of a parent"

echo "$UUID" > "/sys/class/mdev_bus/$PARENT/mdev_supported_types/mimic-accel_8/create"
# Without udevd nobody tells libvirtd of new devices: look again from the start.
kill "$PID"
wait "$PID"
libvirtd > "$LOG" 2>&1 &
PID=$!
wait_for_libvirtd && wait_for_device "mdev_${UUID//-/_}" &&
	v nodedev-dumpxml "mdev_${UUID//-/_}_${PARENT//[:.]/_}" |
	grep -q "<type id='mimic-accel_8'/>"
result $? "libvirt shows an instance and its type"
