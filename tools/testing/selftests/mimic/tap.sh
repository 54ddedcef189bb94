# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2119,SC2120	# fresh may have parameters
# What the tests in shell share; to be sourced. They load and unload the
# module, so run them in a test machine only.
#
# A test is a function; its name is the result's. It fails by calling fail, or
# if its last command fails. Each script begins with a fresh load, and finds
# the machine again as a fresh load leaves it.

set -u

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$HERE/../../../.." && pwd)
BIN=$HERE
[ -z "${MIMIC_BUILD:-}" ] || BIN=$MIMIC_BUILD/tests/mimic
SYSIO=$BIN/sysio
BUS=/sys/class/mdev_bus
MDEVS=/sys/bus/mdev/devices
export DRIVER=/sys/bus/pci/drivers/mimic
DEADLINE=30		# seconds that anything may take
export PROBES="byte huge none odd small"
TYPES="1 2 4 8 fixed"
NUMBER=0
FAILED=0
# Parents of a default load: two of SKU A and one of SKU B.
A=4d49:00:00.0
B=4d49:00:01.0
C=4d49:00:02.0
export A B C

if [ ! -x "$SYSIO" ]; then
	echo "TAP version 13"
	echo "Bail out! no $SYSIO; build it: make -C $HERE OUTPUT=$BIN"
	exit 1
fi

# fail WORD...: end the test that runs
fail()
{
	echo "# $*"
	exit 1
}

# is EXPECTED SEEN WHAT
is()
{
	[ "$1" = "$2" ] || fail "${3:-value}: expected '$1', seen '$2'"
}

# test_that NAME FUNCTION [ARG...]
test_that()
{
	local name=$1

	shift
	NUMBER=$((NUMBER + 1))
	if ("$@"); then
		echo "ok $NUMBER $name"
	else
		echo "not ok $NUMBER $name"
		FAILED=1
		# What it left behind is not the next one's.
		fresh >/dev/null 2>&1
	fi
}

begin()
{
	echo "TAP version 13"
	fresh || exit 1
}

finish()
{
	fresh >/dev/null 2>&1
	echo "1..$NUMBER"
	[ $FAILED -eq 0 ] || echo "# again: $0"
	exit $FAILED
}

# fresh [PARAMETER=VALUE...]: unload, and load with these
fresh()
{
	"$TOP/scripts/unload" 2>/dev/null
	"$TOP/scripts/load" "$@"
}

# within COMMAND...: it has to succeed before the deadline
within()
{
	local i

	for ((i = 0; i < DEADLINE * 20; i++)); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

type_dir() { echo "$BUS/$1/mdev_supported_types/mimic-accel_$2"; }
version() { cat "$(type_dir "$1" "$2")/migration_version"; }
uuid() { cat /proc/sys/kernel/random/uuid; }
exists() { [ -e "$MDEVS/$1" ]; }
gone() { ! [ -e "$MDEVS/$1" ]; }
instances() { find "$MDEVS" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort; }

# put TEXT FILE: one write; prints the count or the errno's name
put() { printf '%s' "$1" | "$SYSIO" write "$2"; }
# create PARENT TYPE UUID, remove UUID: likewise
create() { put "$3" "$(type_dir "$1" "$2")/create"; }
remove() { put 1 "$MDEVS/$1/remove"; }

# left PARENT: instances that still fit, by type
left()
{
	local t

	for t in $TYPES; do
		printf '%s ' "$(cat "$(type_dir "$1" "$t")/available_instances")"
	done
}

# mark: from here on "said" shows what the kernel says
mark()
{
	MARK="mimic-test-mark-$RANDOM$RANDOM"
	echo "$MARK" >/dev/kmsg
}

said() { dmesg | sed "1,/$MARK/d"; }
