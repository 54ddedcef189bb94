#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Parents, capacity and the life of instances: what is refused, with which
# errno, and that nothing has changed then; unbinding and unloading with
# instances that exist, and that are open.

# shellcheck disable=SC2317	# test_that calls them by name
# shellcheck source=tools/testing/selftests/mimic/tap.sh
. "$(dirname "$0")/tap.sh"

# --- Parents ------------------------------------------------------------

# Every third one is of SKU B.
skus_of()
{
	local n=$1 i=0 want dev

	fresh "parents=$n" || fail "load parents=$n"
	is "$n" "$(find "$BUS"/ -mindepth 1 | wc -l)" "parents"
	is "$n" "$(cat /sys/module/mimic/parameters/parents)" "parameter"
	for dev in "$BUS"/*; do
		want=0xa000
		[ $((i % 3)) -ne 2 ] || want=0xa001
		is "$want" "$(cat "$dev/device")" "device id of $dev"
		is 0x4d49 "$(cat "$dev/vendor")" "vendor id of $dev"
		is mimic "$(basename "$(readlink -f "$dev/driver")")" "driver"
		i=$((i + 1))
	done
}

# lspci reads it all without a word on its standard error.
lspci_is_content()
{
	local err

	err=$(lspci -vvv -nn -D -d 4d49: 2>&1 >/dev/null)
	is "" "$err" "lspci -vvv"
	is 3 "$(lspci -D -d 4d49: | grep -c '^4d49:00:0[0-2].0 ')"
	is 256 "$(wc -c <"/sys/bus/pci/devices/$A/config")"
}

memory_parameters()
{
	fresh memory_a=8 memory_b=4096 parents=3 || fail "load"
	is 8 "$(cat /sys/module/mimic/parameters/memory_a)"
	is 4096 "$(cat /sys/module/mimic/parameters/memory_b)"
	grep -qx 'memory: 1 MiB' "$(type_dir "$A" 8)/description" || fail "1/8 of 8"
	grep -qx 'memory: 4096 MiB' "$(type_dir "$C" 1)/description" || fail "4096"
	is "1 2 4 8 8 " "$(left "$A")"
	is 36 "$(create "$C" 1 "$(uuid)")" "create the largest"
	is 36 "$(create "$A" 8 "$(uuid)")" "create the smallest"
}

# One line each, that names parameter and range; nothing is left behind.
bad_parameter()
{
	local p=$1 range=$2 name=${1%%=*} lines

	mark
	! insmod "${MIMIC_BUILD:-$TOP}/mimic.ko" "$p" 2>/dev/null ||
		fail "$p was accepted"
	[ ! -d /sys/module/mimic ] || fail "module is there"
	[ ! -e "$DRIVER" ] || fail "driver is there"
	[ ! -e "/sys/bus/pci/devices/$A" ] || fail "a parent is there"
	[ ! -e /sys/kernel/debug/mimic ] || fail "debugfs is there"
	lines=$(said | grep -c mimic)
	is 1 "$lines" "lines in the log for $p"
	said | grep -q "mimic: parameter $name=${p#*=} .*from $range\$" ||
		fail "the line: $(said | grep mimic)"
}

bad_parameters()
{
	local v

	"$TOP/scripts/unload" || fail "unload"
	insmod "${MIMIC_BUILD:-$TOP}/vmig.ko" || fail "vmig"
	for v in 0 33 64 -1 4294967296 18446744073709551617 1x 3.0; do
		bad_parameter "parents=$v" "1 to 32"
	done
	for v in 0 1 4 7 9 12 100 255 257 4095 8192 -8 99999999999 256M; do
		bad_parameter "memory_a=$v" "8 to 4096"
		bad_parameter "memory_b=$v" "8 to 4096"
	done
	rmmod vmig || fail "rmmod vmig"
}

# --- Types --------------------------------------------------------------

types_are_complete()
{
	local p t dir mib

	for p in $A $B $C; do
		is "$(for t in $TYPES; do echo "mimic-accel_$t"; done
			for t in $PROBES; do echo "mimic-probe_$t"; done)" \
			"$(find "$BUS/$p/mdev_supported_types" -mindepth 1 \
			-maxdepth 1 -printf '%f\n' | sort)" "types"
		for t in $TYPES; do
			dir=$(type_dir "$p" "$t")
			mib=256
			[ "$p" != "$C" ] || mib=512
			case $t in
			fixed) mib=$((mib / 8)) ;;
			*) mib=$((mib / t)) ;;
			esac
			is vfio-pci "$(cat "$dir/device_api")" device_api
			grep -q "accel, $mib MiB" "$dir/name" ||
				fail "name: $(cat "$dir/name")"
			grep -qx "memory: $mib MiB" "$dir/description" ||
				fail "description: $(cat "$dir/description")"
			[ -d "$dir/devices" ] || fail "devices"
		done
		for t in $PROBES; do
			dir=$BUS/$p/mdev_supported_types/mimic-probe_$t
			is vfio-pci "$(cat "$dir/device_api")" device_api
			grep -q "^probe, [0-9]* bytes of state" "$dir/name" ||
				fail "name: $(cat "$dir/name")"
			grep -q "^state: [0-9]* bytes$" "$dir/description" ||
				fail "description: $(cat "$dir/description")"
		done
		grep -q "cannot migrate" "$(type_dir "$p" fixed)/name" ||
			fail "the name does not say that it cannot migrate"
		grep -qx "migration: no" "$(type_dir "$p" fixed)/description" ||
			fail "nor does the description"
		is 9 "$(grep -lx 'migration: yes' \
			"$BUS"/"$p"/mdev_supported_types/*/description | wc -l)"
	done
}

# --- Capacity -----------------------------------------------------------

# In any order, and over all types.
capacity_mixed()
{
	local u=() i step

	for i in 0 1 2 3 4 5 6; do u[i]=$(uuid); done
	is "1 2 4 8 8 " "$(left "$A")" "at first"
	is 36 "$(create "$A" fixed "${u[0]}")"
	is "0 1 3 7 7 " "$(left "$A")" "an eighth"
	is 36 "$(create "$A" 4 "${u[1]}")"
	is "0 1 2 5 5 " "$(left "$A")" "and a quarter"
	is 36 "$(create "$A" 2 "${u[2]}")"
	is "0 0 0 1 1 " "$(left "$A")" "and a half"
	is 36 "$(create "$A" 8 "${u[3]}")"
	is "0 0 0 0 0 " "$(left "$A")" "all of it"
	# Others have their own.
	is "1 2 4 8 8 " "$(left "$B")" "another parent"
	for step in 2 0 3 1; do
		is 1 "$(remove "${u[$step]}")"
		gone "${u[$step]}" || fail "still there"
	done
	is "1 2 4 8 8 " "$(left "$A")" "in the end"
}

# Too much is refused, whichever type asks, and takes nothing.
capacity_exceeded()
{
	local t u before i

	for i in 1 2 3 4; do
		is 36 "$(create "$B" 4 "$(uuid)")"
	done
	before=$(instances)
	for t in $TYPES; do
		u=$(uuid)
		is ENOSPC "$(create "$B" "$t" "$u")" "type $t"
		gone "$u" || fail "it exists"
		is "0 0 0 0 0 " "$(left "$B")"
		[ ! -e "/sys/kernel/debug/mimic/$u" ] || fail "debugfs"
	done
	is "$before" "$(instances)" "instances"
	# The same UUID, where there is room, after it was refused.
	is 36 "$(create "$A" 1 "$u")"
	is "0 0 0 0 0 " "$(left "$A")"
	for i in $(instances); do remove "$i" >/dev/null; done
	is "1 2 4 8 8 " "$(left "$B")"
}

# Many at once want the last place: one gets it.
capacity_raced()
{
	local i n=0

	is 36 "$(create "$A" 2 "$(uuid)")"
	is 36 "$(create "$A" 4 "$(uuid)")"
	for i in 1 2 3 4 5 6 7 8; do
		create "$A" 4 "$(uuid)" &
	done >/tmp/raced.$$
	wait
	n=$(grep -cx 36 /tmp/raced.$$)
	is 1 "$n" "winners"
	is 7 "$(grep -cx ENOSPC /tmp/raced.$$)" "losers"
	rm -f /tmp/raced.$$
	is "0 0 0 0 0 " "$(left "$A")"
	for i in $(instances); do remove "$i" >/dev/null; done
	is "1 2 4 8 8 " "$(left "$A")"
}

# --- Instances ----------------------------------------------------------

refused_uuids()
{
	local u v

	u=$(uuid)
	is 36 "$(create "$A" 8 "$u")"
	for v in "$A 8" "$A 4" "$B 8" "$C fixed"; do
		# shellcheck disable=SC2086	# two words
		is EEXIST "$(create $v "$u")" "$v"
	done
	is EEXIST "$(create "$A" 8 "${u^^}")" "upper case"
	is "0 1 3 7 7 " "$(left "$A")"
	is "1 2 4 8 8 " "$(left "$B")"
	for v in "" x "${u%?}" "${u}00" "${u//-/}" "$u/../x" "zz${u#??}"; do
		case $v in
		"") continue ;;		# no bytes: not a write at all
		esac
		is EINVAL "$(create "$A" 8 "$v")" "'$v'"
	done
	is "0 1 3 7 7 " "$(left "$A")"
	is 37 "$(printf '%s\n' "$(uuid)" |
		"$SYSIO" write "$(type_dir "$A" 8)/create")" "with a newline"
	for v in $(instances); do remove "$v" >/dev/null; done
	# Used again after it is gone, with another type elsewhere.
	is 36 "$(create "$B" 2 "$u")"
	is mimic-accel_2 "$(basename "$(readlink -f "$MDEVS/$u/mdev_type")")"
	is 1 "$(remove "$u")"
}

remove_what()
{
	local u

	u=$(uuid)
	is 36 "$(create "$A" 8 "$u")"
	is 1 "$(put 0 "$MDEVS/$u/remove")" "a zero is no wish"
	exists "$u" || fail "a zero removed it"
	is EINVAL "$(put x "$MDEVS/$u/remove")" "nor is a word"
	exists "$u" || fail "a word removed it"
	is 1 "$(remove "$u")"
	is ENOENT "$(remove "$u")" "once more"
}

# What is to be seen of an instance, and that it all goes away again.
instance_in_sysfs()
{
	local u group

	u=$(uuid)
	is 36 "$(create "$C" 4 "$u")"
	group=$(basename "$(readlink -f "$MDEVS/$u/iommu_group")")
	[ -c "/dev/vfio/$group" ] || fail "no /dev/vfio/$group"
	is "$(readlink -f "$BUS/$C")" \
		"$(dirname "$(readlink -f "$MDEVS/$u")")" "parent"
	is "$(readlink -f "$MDEVS/$u")" \
		"$(readlink -f "$(type_dir "$C" 4)/devices/$u")" "link of the type"
	is mimic "$(basename "$(readlink -f "$MDEVS/$u/driver")")" "driver"
	[ -e "/sys/kernel/debug/mimic/$u/internal_error" ] || fail "debugfs"
	is 1 "$(remove "$u")"
	[ ! -e "/dev/vfio/$group" ] || fail "/dev/vfio/$group is left"
	[ ! -e "/sys/kernel/debug/mimic/$u" ] || fail "debugfs is left"
	[ ! -e "$(type_dir "$C" 4)/devices/$u" ] || fail "link is left"
}

# LIFE-01, in short: what is made and removed leaves nothing.
make_and_remove()
{
	local i u t

	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		t=$(echo "$TYPES" | cut -d' ' -f$((i % 5 + 1)))
		u=$(uuid)
		is 36 "$(create "$A" "$t" "$u")" "round $i"
		is 1 "$(remove "$u")" "round $i"
	done
	is "1 2 4 8 8 " "$(left "$A")"
	is "" "$(instances)" "instances"
	is 0 "$(cat /sys/module/mimic/refcnt)" "references"
}

with_mdevctl()
{
	local u

	u=$(uuid)
	is 15 "$(mdevctl types | grep -c '^ *mimic-accel_')" "types"
	mdevctl types | grep -q "Available instances: 8" || fail "available"
	mdevctl types | grep -q "Device API: vfio-pci" || fail "device_api"
	mdevctl types -p "$C" | grep -q "accel, 512 MiB" || fail "name"
	mdevctl define -u "$u" -p "$A" -t mimic-accel_8 || fail "define"
	mdevctl list -d | grep -q "$u" || fail "list -d"
	gone "$u" || fail "defined is not started"
	# What is set before the device is opened is kept with its definition.
	mdevctl modify -u "$u" --addattr=migration_protocols --value=v2 ||
		fail "modify"
	mdevctl start -u "$u" || fail "start"
	exists "$u" || fail "it was started"
	is v2 "$(cat "$MDEVS/$u/migration_protocols")" "protocols as stored"
	mdevctl list | grep -q "$u $A mimic-accel_8" || fail "list"
	mdevctl stop -u "$u" || fail "stop"
	gone "$u" || fail "it was stopped"
	mdevctl undefine -u "$u" || fail "undefine"
	# A transient one, as it is used in examples.
	mdevctl start -u "$u" -p "$B" -t mimic-accel_fixed || fail "transient"
	mdevctl list | grep -q "$u $B mimic-accel_fixed" || fail "list"
	! mdevctl start -u "$(uuid)" -p "$B" -t mimic-accel_1 2>/dev/null ||
		fail "started more than fits"
	mdevctl stop -u "$u" || fail "stop"
}

# --- In use -------------------------------------------------------------

ended() { ! kill -0 "$1" 2>/dev/null; }

# hold UUID: a process that has the device open; OUT is what it says, and
# letting go is to close the pipe.
hold()
{
	OUT=$(mktemp)
	exec {HOLD}> >(exec "$SYSIO" hold "$1" >"$OUT")
	HOLDER=$!
	within grep -q open "$OUT" || fail "cannot open: $(cat "$OUT")"
}

# apart COMMAND...: in the background, and without the pipe to the holder
apart()
{
	(
		exec {HOLD}>&-
		"$@" >/dev/null
	) &
}

let_go()
{
	exec {HOLD}>&-
	within ended "$HOLDER" || fail "does not end"
	rm -f "$OUT"
}

unbind_unused()
{
	local u

	u=$(uuid)
	is 36 "$(create "$A" 2 "$u")"
	is 36 "$(create "$B" 8 "$(uuid)")"
	is ${#A} "$(put "$A" "$DRIVER"/unbind)"
	gone "$u" || fail "the instance is left"
	[ ! -e "$BUS/$A" ] || fail "the parent is left"
	is 1 "$(instances | wc -l)" "those of others stay"
	is 1 "$(lspci -D -d 4d49:a000 | grep -c "^$A")" "the PCI device stays"
	is ENODEV "$(put "$A" "$DRIVER"/unbind)" "once more"
	is ${#A} "$(put "$A" "$DRIVER"/bind)"
	is "1 2 4 8 8 " "$(left "$A")" "all of it is free"
	is 36 "$(create "$A" 1 "$u")" "and usable"
	for u in $(instances); do remove "$u" >/dev/null; done
}

unbind_and_bind_often()
{
	local i

	for i in 1 2 3 4 5 6 7 8 9 10; do
		[ $((i % 2)) -eq 0 ] || create "$C" 4 "$(uuid)" >/dev/null
		is ${#C} "$(put "$C" "$DRIVER"/unbind)" "round $i"
		is ${#C} "$(put "$C" "$DRIVER"/bind)" "round $i"
		version "$C" 4 >/dev/null || fail "no version in round $i"
	done
	is "1 2 4 8 8 " "$(left "$C")"
}

# The user is asked for the device, and unbinding waits until it is closed.
unbind_open()
{
	local u pid

	u=$(uuid)
	is 36 "$(create "$A" 8 "$u")"
	hold "$u"
	apart put "$A" "$DRIVER"/unbind
	pid=$!
	within grep -q req "$OUT" || fail "nobody was asked"
	! ended "$pid" || fail "unbind did not wait"
	let_go
	within ended "$pid" || fail "unbind does not end"
	wait "$pid"
	gone "$u" || fail "the instance is left"
	is ${#A} "$(put "$A" "$DRIVER"/bind)"
	is "1 2 4 8 8 " "$(left "$A")"
}

remove_open()
{
	local u pid

	u=$(uuid)
	is 36 "$(create "$A" 8 "$u")"
	hold "$u"
	apart remove "$u"
	pid=$!
	within grep -q req "$OUT" || fail "nobody was asked"
	! ended "$pid" || fail "remove did not wait"
	# Its place is taken until it is gone.
	is "0 1 3 7 7 " "$(left "$A")"
	is EEXIST "$(create "$A" 8 "$u")" "the UUID, too"
	let_go
	within ended "$pid" || fail "remove does not end"
	wait "$pid"
	gone "$u" || fail "the instance is left"
	is "1 2 4 8 8 " "$(left "$A")"
}

rmmod_unused()
{
	create "$A" 8 "$(uuid)" >/dev/null
	create "$C" 1 "$(uuid)" >/dev/null
	rmmod mimic || fail "rmmod"
	[ ! -e "/sys/bus/pci/devices/$A" ] || fail "a parent is left"
	is "" "$(instances)" "instances"
	[ ! -e "$BUS" ] || is "" "$(ls "$BUS")" "parents"
	rmmod vmig || fail "rmmod vmig"
	"$TOP/scripts/load" || fail "load again"
	is "1 2 4 8 8 " "$(left "$A")"
}

rmmod_open()
{
	local u

	u=$(uuid)
	is 36 "$(create "$A" 8 "$u")"
	hold "$u"
	! rmmod mimic 2>/dev/null || fail "unloaded under an open device"
	! rmmod vmig 2>/dev/null || fail "unloaded vmig"
	exists "$u" || fail "the instance is gone"
	is "0 1 3 7 7 " "$(left "$A")"
	! grep -q req "$OUT" || fail "a refused rmmod asked for the device"
	# scripts/unload says who it is.
	"$TOP/scripts/unload" 2>&1 | grep -q "$HOLDER(sysio)" ||
		fail "unload names nobody"
	let_go
	within rmmod mimic 2>/dev/null || fail "rmmod after it was closed"
	"$TOP/scripts/load" || fail "load again"
}

begin
test_that "parents=1 has one of SKU A" skus_of 1
test_that "parents=4 begins again with SKU A" skus_of 4
test_that "parents=32" skus_of 32
test_that "smallest and largest memory" memory_parameters
test_that "parameters out of range: one line each, nothing left" bad_parameters
fresh || exit 1
test_that "lspci shows the parents" lspci_is_content
test_that "types say what they are" types_are_complete
test_that "capacity is shared by all types" capacity_mixed
test_that "beyond capacity: ENOSPC, and nothing has changed" capacity_exceeded
test_that "the last place is given once" capacity_raced
test_that "EEXIST for a UUID in use, EINVAL for none" refused_uuids
test_that "remove" remove_what
test_that "an instance in sysfs and /dev, and gone" instance_in_sysfs
test_that "LIFE-01 make and remove" make_and_remove
test_that "mdevctl types, define, start, list, stop" with_mdevctl
test_that "unbind and bind with instances" unbind_unused
test_that "unbind and bind often" unbind_and_bind_often
test_that "LIFE-03 unbind while open: asks, waits, ends" unbind_open
test_that "LIFE-02 remove while open: asks, waits, ends" remove_open
test_that "LIFE-03 rmmod with instances that nobody uses" rmmod_unused
test_that "LIFE-03 rmmod while open is refused" rmmod_open
finish
