#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Run one device test on two fresh mdevs of the same type, on two parents of the
# same kind where there are two, and remove them afterwards. Needs root and a
# machine that may be broken: a test machine.
#
# usage: run.sh PROGRAM [TYPE]	(TYPE: default mimic-accel_8)
set -eu

program=${1:?usage: run.sh PROGRAM [TYPE]}
type=${2:-mimic-accel_8}
here=$(cd "$(dirname "$0")" && pwd)
bin=${MIMIC_BUILD:-$here}
[ -z "${MIMIC_BUILD:-}" ] || bin=$MIMIC_BUILD/tests/mimic

if [ ! -x "$bin/$program" ]; then
	echo "run.sh: no $bin/$program; build it: make -C $here OUTPUT=$bin" >&2
	exit 1
fi
if [ ! -d /sys/module/mimic ]; then
	"$here/../../../../scripts/load"
fi
if [ ! -d /sys/kernel/debug/mimic ]; then
	mount -t debugfs none /sys/kernel/debug 2>/dev/null || true
fi

# Folders of the type: on the first parent, and on another one of its kind.
first=
second=
for dir in /sys/class/mdev_bus/*/mdev_supported_types/"$type"; do
	[ -d "$dir" ] || continue
	if [ -z "$first" ]; then
		first=$dir
	elif [ -z "$second" ] &&
		cmp -s "$first/../../device" "$dir/../../device"; then
		second=$dir
	fi
done
if [ -z "$first" ]; then
	echo "run.sh: no parent offers $type" >&2
	exit 1
fi
[ -n "$second" ] || second=$first

VFIO_DEV=$(cat /proc/sys/kernel/random/uuid)
VFIO_DEV2=$(cat /proc/sys/kernel/random/uuid)
export VFIO_DEV VFIO_DEV2

# shellcheck disable=SC2317	# called by the trap
cleanup()
{
	for uuid in "$VFIO_DEV" "$VFIO_DEV2"; do
		[ ! -e "/sys/bus/mdev/devices/$uuid" ] ||
			echo 1 >"/sys/bus/mdev/devices/$uuid/remove"
	done
}
trap cleanup EXIT
trap 'exit 130' INT TERM

echo "$VFIO_DEV" >"$first/create"
echo "$VFIO_DEV2" >"$second/create"

status=0
"$bin/$program" || status=$?
if [ "$status" -ne 0 ] && [ "$status" -ne 4 ]; then
	echo "# again: $0 $program $type" >&2
fi
exit "$status"
