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

# begin MACHINE OPTION... -- COMMAND...: a boot beside others; BOOTS is its number
begin()
{
	BOOTS=$((${BOOTS:-0} + 1))
	MACHINE[BOOTS]=$1
	"$TOP/scripts/lab" run -c "$LOGS/boot.$BOOTS.$1.console" -m "$@" \
		>"$LOGS/boot.$BOOTS.$1.out" 2>"$LOGS/boot.$BOOTS.$1.err" &
	PROCESS[BOOTS]=$!
}

# end NUMBER: wait for a boot; its results, and one more: that it came to its end with
# a kernel that has nothing to say
end()
{
	local log=$LOGS/boot.$1.${MACHINE[$1]} status=0

	wait "${PROCESS[$1]}" || status=$?
	relay "$log.out"
	if [ $status -ne 0 ] || grep -q 'the kernel complained' "$log.err"; then
		status=1
		sed 's/^/# /' "$log.err"
	fi
	result $status "boot $1, ${MACHINE[$1]}: nothing to complain of"
}

# boot MACHINE OPTION... -- COMMAND...: one and no other beside it
boot()
{
	begin "$@"
	end "$BOOTS"
}

declare -a MACHINE PROCESS
# A machine that is there still has lost the one that it worked with
# shellcheck disable=SC2046 # a process a word
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "${SOCKETS:-}"' EXIT
