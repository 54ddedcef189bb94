# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Shared by the tests of this folder, which run on the host: results, as TAP, and a
# boot of one machine after another. Sourced by bash in this folder.
#
# shellcheck disable=SC2034 # who sources it uses what is set here

TOP=$(cd ../../../.. && pwd)
HERE=/mimic/tools/testing/selftests/matrix
# /out/matrix in the machines: the share that all of them write to
SHARE=$TOP/build/out/matrix
LOGS=$TOP/build/matrix/${0##*/}
# shellcheck source=tools/testing/selftests/lib/result.sh
. ../lib/result.sh

# relay FILE: the results and diagnostics of a program in a machine, without its numbers
# and its plan
relay()
{
	local line

	while IFS= read -r line; do
		case $line in
		"ok "*) result 0 "${line#ok }" ;;
		"not ok "*) result 1 "${line#not ok }" ;;
		"#"*) echo "$line" ;;
		*) echo "# $line" ;;
		esac
	done < <(sed -E 's/^((not )?ok) [0-9]+ /\1 /;
		/^(TAP version|1\.\.[0-9])/d' "$1")
}

# build MACHINE SET...: what this test needs of it, which may be no other's
build()
{
	local machine=$1

	shift
	if ! "$TOP/scripts/lab" build -m "$machine" "$@" \
			>"$LOGS/build.$machine" 2>&1 </dev/null; then
		tail -n 20 "$LOGS/build.$machine" | sed 's/^/# /'
		echo "Bail out! $machine: the build failed"
		exit 1
	fi
}

# boot MACHINE OPTION... -- COMMAND...: its results, and one more: that it came to its
# end with a kernel that has nothing to say
boot()
{
	local log status=0

	BOOTS=$((${BOOTS:-0} + 1))
	log=$LOGS/boot.$BOOTS.$1
	"$TOP/scripts/lab" run -c "$log.console" -m "$@" \
		>"$log.out" 2>"$log.err" || status=$?
	relay "$log.out"
	if [ $status -ne 0 ] || grep -q 'the kernel complained' "$log.err"; then
		status=1
		sed 's/^/# /' "$log.err"
	fi
	result $status "boot $BOOTS, $1: nothing to complain of"
}
