#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Parents, types and migration_version from the shell, as a user would: the
# usage examples that came with the attribute's proposal, as printed there, and
# what a person tries next. Loads and unloads the module, so run it in a test
# machine only.

set -u
TOP=$(cd "$(dirname "$0")/../../../.." && pwd)
BUS=/sys/class/mdev_bus
MDEVS=/sys/bus/mdev/devices
A=4d49:00:00.0 B=4d49:00:01.0 C=4d49:00:02.0
UUID1=11111111-2222-4333-8444-555555555501
UUID2=11111111-2222-4333-8444-555555555502
N=0
ERR=$(mktemp)
trap 'rm -f "$ERR"' EXIT

# ok NAME COMMAND...: it succeeds
ok()
{
	local name=$1

	shift
	N=$((N + 1))
	if "$@" > /dev/null 2> "$ERR"; then
		echo "ok $N $name"
	else
		sed 's/^/# /' "$ERR"
		echo "not ok $N $name"
	fi
}

# fails WORDS NAME COMMAND...: it fails and says WORDS
fails()
{
	local words=$1 name=$2

	shift 2
	N=$((N + 1))
	if ! "$@" > /dev/null 2> "$ERR" && grep -q "$words" "$ERR"; then
		echo "ok $N $name"
	else
		sed 's/^/# /' "$ERR"
		echo "not ok $N $name"
	fi
}

is() { test "$1" = "$2"; }
put() { bash -c 'printf "%s" "$1" > "$2"' sh "$1" "$2"; }
type_dir() { echo "$BUS/$1/mdev_supported_types/mimic-accel_$2"; }
create() { put "$3" "$(type_dir "$1" "$2")/create"; }
remove() { put 1 "$MDEVS/$1/remove"; }
left() { cat "$(type_dir "$A" "$1")/available_instances"; }
lefts() { echo "$(left 1) $(left 2) $(left 4) $(left 8) $(left fixed)"; }
load() { "$TOP/scripts/load" "$@"; }
unload() { "$TOP/scripts/unload"; }
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

parents_are()
{
	load "parents=$1" || return 1
	# shellcheck disable=SC2012	# no odd names there
	is "$(ls $BUS | wc -l)" "$1" &&
		is "$(lspci -nd 4d49: | wc -l)" "$1"
}

# bad PARAMETER=VALUE RANGE: load fails, and one line says why
bad()
{
	local before

	before=$(dmesg | wc -l)
	load "$1" > /dev/null 2>&1 && { unload; return 1; }
	is "$(dmesg | tail -n +"$((before + 1))" | grep -c "parameter ${1%%=*}.*$2")" 1
}

echo "TAP version 13"
unload > /dev/null 2>&1

for n in 1 2 32; do
	ok "parents=$n" parents_are $n
	unload
done
for v in 0 33 -1 x ""; do
	ok "parents=$v is refused in one line" bad "parents=$v" "from 1 to 32"
done
for p in memory_a memory_b; do
	for v in 0 4 300 8192 x; do
		ok "$p=$v is refused in one line" bad "$p=$v" "from 8 to 4096"
	done
done

load || exit 1
ok "three parents by default, two of SKU A and one of SKU B" \
	is "$(lspci -nd 4d49: | sed 's/.*4d49://' | tr '\n' ' ')" "a000 a000 a001 "
ok "mdevctl knows the types" \
	is "$(mdevctl types | grep -c '^  mimic-accel_')" 15
for t in 1 2 4 8 fixed; do
	ok "accel_$t has a name and a description" test -s "$(type_dir "$A" $t)/name" \
		-a -s "$(type_dir "$A" $t)/description"
	ok "accel_$t is a PCI device" \
		is "$(cat "$(type_dir "$A" $t)/device_api")" vfio-pci
done

# Capacity is the parent's, whichever types take it.
ok "nothing is used" is "$(lefts)" "1 2 4 8 8"
ok "create a half" create $A 2 $UUID1
ok "the other half is left" is "$(lefts)" "0 1 2 4 4"
ok "create an eighth" create $A fixed $UUID2
ok "three eighths are left" is "$(lefts)" "0 0 1 3 3"
fails "No space left on device" "a half does not fit any more" \
	create $A 2 11111111-2222-4333-8444-555555555503
ok "and nothing has changed" is "$(lefts)" "0 0 1 3 3"
fails "File exists" "a UUID is used once" create $B 8 $UUID1
fails "Invalid argument" "a UUID is a UUID" create $B 8 not-a-uuid
ok "remove the eighth" remove $UUID2
ok "remove the half" remove $UUID1
ok "all is there again" is "$(lefts)" "1 2 4 8 8"

# The usage examples of the attribute, as they were printed.
create $A 4 $UUID1
create $B 4 $UUID2
MDEV_UUID=$UUID1
ok "VER-01 example 1: the type of a device" is \
	"$(basename "$(readlink -f /sys/bus/mdev/devices/$MDEV_UUID/mdev_type/)")" \
	mimic-accel_4
# shellcheck disable=SC2010,SC2012	# as printed
ok "VER-01 example 1: the types of this host" is \
	"$(ls /sys/class/mdev_bus/*/mdev_supported_types/ | grep -c mimic-accel)" 15
VERSION=$(cat /sys/bus/mdev/devices/$UUID1/mdev_type/migration_version)
ok "VER-16 example 2: the version by the device" \
	test "${VERSION#mimic,accel,}" != "$VERSION"
MDEV_TYPE=mimic-accel_4
ok "VER-01 example 2: the version by the type" is \
	"$(cat /sys/class/mdev_bus/*/mdev_supported_types/$MDEV_TYPE/migration_version | sort -u | grep -c "^$VERSION$")" 1
export VERSION UUID2
# shellcheck disable=SC2016	# as printed
ok "VER-04 example 3: test it at an instance" bash -c \
	'echo $VERSION > /sys/bus/mdev/devices/$UUID2/mdev_type/migration_version'
export PARENT=$B MDEV_TYPE
# shellcheck disable=SC2016	# as printed
ok "VER-04 example 3: test it before there is an instance" bash -c \
	'echo $VERSION > /sys/class/mdev_bus/$PARENT/mdev_supported_types/$MDEV_TYPE/migration_version'

AT=$(type_dir $B 4)/migration_version
ok "VER-01 the device's own attribute says the same" \
	is "$(cat $MDEVS/$UUID1/migration_version)" "$VERSION"
ok "VER-02 printable ASCII and one newline" is \
	"$(LC_ALL=C tr -d '!-~' < "$AT" | od -An -c | tr -d ' ')" '\n'
ok "VER-03 at most 255 bytes" test "$(wc -c < "$AT")" -le 255
ok "VER-05 without a newline" put "$VERSION" "$AT"
ok "VER-05 with one" put "$VERSION"$'\n' "$AT"
for v in "$VERSION"$'\n\n' "$VERSION " " $VERSION" "$VERSION"$'\r\n' $'\n'; do
	fails "Invalid argument" "VER-05 VER-06 not $(printf %q "$v")" put "$v" "$AT"
done
fails "Invalid cross-device link" "VER-04 another memory size" \
	put "$VERSION" "$(type_dir $B 8)/migration_version"
fails "Invalid cross-device link" "VER-04 another vendor" \
	put "x${VERSION}" "$AT"
fails "Operation not supported" "VER-04 a newer minor" \
	put "${VERSION/1.0/1.1}" "$AT"
fails "Operation not supported" "VER-04 a newer major" \
	put "${VERSION/1.0/2.0}" "$AT"
put "$VERSION" "$(type_dir $B 8)/migration_version" 2> /dev/null
ok "VER-04 the log names the field and both values" \
	grep -q 'memory is "67108864" there, "33554432" here' <(dmesg)
ok "VER-16 half of a small parent is a quarter of a big one" is \
	"$(cat "$(type_dir $A 2)/migration_version")" \
	"$(cat "$(type_dir $C 4)/migration_version")"
ok "VER-13 anybody may read" as_nobody cat "$AT"
fails "Permission denied" "VER-13 root alone may write" \
	as_nobody bash -c "echo $VERSION > $AT"
ok "VER-12 V1-DISC-12 accel_fixed has no migration_version" \
	test ! -e "$(type_dir $A fixed)/migration_version"
remove $UUID1
create $A fixed $UUID1
ok "VER-12 V1-DISC-12 nor has an instance of it" \
	test ! -e "$MDEVS/$UUID1/migration_version"

ok "LIFE-03 the driver can be unbound with instances" \
	put $A /sys/bus/pci/drivers/mimic/unbind
ok "LIFE-03 which takes them away" test ! -e "$MDEVS/$UUID1"
ok "LIFE-03 and bound again" put $A /sys/bus/pci/drivers/mimic/bind
ok "LIFE-03 rmmod with an instance that nobody uses" unload
ok "LIFE-03 which takes the parents away" test ! -e $BUS/$A
load > /dev/null
echo "1..$N"
