# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Shared by scripts/lab, scripts/check, scripts/style and scripts/deps: where
# things are, messages, and how to become root. Sourced by bash with $TOP, the
# repository, already set.
#
# Everything that is made goes below $BUILD and nowhere else.

BUILD=${TOP:?}/build
export BUILD

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# as_root COMMAND...: run it as root, by sudo where that is needed
as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		die "this needs root or sudo: $*"
	fi
}

# give_back PATH...: what root made belongs to the user who asked for it
give_back()
{
	[ "$(id -u)" -eq 0 ] || as_root chown -R "$(id -u):$(id -g)" "$@"
}

# step TEXT COMMAND...: run a step of several seconds: say what runs, keep its
# output in a log, and show the log's end if it fails
step()
{
	local text=$1 log=$BUILD/log/${0##*/}-step.$$.log start=$SECONDS rc=0

	shift
	mkdir -p "$BUILD/log"
	printf '%s: %s ...' "${0##*/}" "$text" >&2
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	if [ $rc -eq 0 ]; then
		printf ' %d s\n' $((SECONDS - start)) >&2
		rm -f "$log"
	else
		printf ' failed (status %d)\n' $rc >&2
		tail -n "${STEP_TAIL:-40}" "$log" >&2
		say "the whole log: $log"
	fi
	return $rc
}

# kernel_version NAME: that end of the range in drivers/compat/kernel_range.h, which
# is the input, as X.Y
kernel_version()
{
	sed -n "s/^#define VMIG_KERNEL_$1[^(]*(\([0-9]*\), \([0-9]*\),.*/\1.\2/p"
}
