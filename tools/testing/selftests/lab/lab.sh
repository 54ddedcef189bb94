#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Test of scripts/lab: what a command that runs in a test machine may count on,
# and what the caller gets when that command, or its machine, comes to a bad
# end. Prints TAP; boots a handful of machines, one after another.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." || exit

# shellcheck source=tools/testing/selftests/lib/result.sh
. tools/testing/selftests/lib/result.sh
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# outcome STATUS NAME: and if it failed, what scripts/lab said
outcome()
{
	local said=

	[ "$1" -eq 0 ] || said=$(cat "$WORK/err")
	result "$1" "$2" "$said"
}

# lab OPTION... -- COMMAND...: scripts/lab run, with the streams and the status
# kept for the results that follow
lab()
{
	scripts/lab run -c "$WORK/console" "$@" >"$WORK/out" 2>"$WORK/err"
	STATUS=$?
}

# is FILE TEXT: what it holds, without the words of scripts/lab itself
is() { [ "$(grep -v "^lab: " "$WORK/$1")" = "$2" ]; }

echo "TAP version 13"
echo "1..16"

# shellcheck disable=SC2016 # for the shell over there
lab -k 'lab.a=1 lab.b' -- sh -c 'echo to stdout; echo to stderr >&2
	for arg in "$@"; do echo "[$arg]"; done
	pwd; id -u; cat; [ -d "$MIMIC_BUILD" ] && [ -e /built/vmig.ko ] && echo built
	touch /mimic/x 2>/dev/null || echo read-only
	touch /usr/x && echo overlay
	echo "$$" >/out/lab-selftest && echo out
	ping -c1 127.0.0.1 >/dev/null 2>&1 || busybox ping -c1 127.0.0.1 >/dev/null && echo lo
	[ -e /dev/kvm ] && echo nested
	mkdir /sys/kernel/tracing/instances/x &&
		grep norecord-cmd /sys/kernel/tracing/instances/x/trace_options
	grep -o "lab[.].*" /proc/cmdline
	exit 3' sh 'a  b' "c'd" ''
outcome $((STATUS != 3)) "exit status is the command's"
is out "to stdout
[a  b]
[c'd]
[]
/mimic
0
built
read-only
overlay
out
lo
nested
norecord-cmd
lab.a=1 lab.b"
outcome $? "arguments, also for the kernel, shares, loopback, nested KVM, and tracing"
is err "to stderr"
outcome $? "stderr is kept apart"
[ -s build/out/lab-selftest ]
outcome $? "/out is build/out of the host"
rm -f build/out/lab-selftest

lab -- head -c 5000000 /dev/zero
[ "$STATUS" -eq 0 ] && [ "$(wc -c <"$WORK/out")" -eq 5000000 ] &&
	[ "$(tr -d '\0' <"$WORK/out" | wc -c)" -eq 0 ]
outcome $? "five million zero bytes come through"

lab -t 60 -- sh -c 'echo before; (sleep 1000 &) ; true'
[ "$STATUS" -eq 0 ] && is out before
outcome $? "a daemon left behind does not hold up the end"

SECONDS=0
lab -t 30 -- sh -c 'echo before; sleep 1000'
[ "$STATUS" -eq 124 ] && is out before
outcome $? "status 124 after a timeout, output kept"
[ $SECONDS -lt 50 ]
outcome $? "and the timeout is kept"

lab -t 120 -- sh -c 'echo before; echo c >/proc/sysrq-trigger; sleep 100'
[ "$STATUS" -eq 125 ] && is out before
outcome $? "status 125 after a panic, output kept"
grep -q 'sysrq triggered crash' "$WORK/console"
outcome $? "the kernel's log has the panic"
grep -q 'the kernel complained' "$WORK/err"
outcome $? "and scripts/lab says so"

lab -- /nonexistent
outcome $((STATUS != 127)) "status 127 for a command that is not there"

# two at once, with a network; one of them is told to stop
scripts/lab run -t 120 -c "$WORK/console2" -w "$WORK/b,$WORK/a,10.0.0.2/24" -- sh -c '
	echo two
	until busybox wget -qO - http://10.0.0.1/word; do sleep 1; done' \
	>"$WORK/out2" 2>/dev/null &
TWO=$!
scripts/lab run -t 120 -c "$WORK/console" -w "$WORK/a,$WORK/b,10.0.0.1/24" -- sh -c '
	cd /run && echo one >word && busybox httpd && sleep 1000' \
	>/dev/null 2>"$WORK/err" &
ONE=$!
wait $TWO && [ "$(cat "$WORK/out2")" = "two
one" ]
outcome $? "two machines at the same time, and a network between them"
CHILD=$(pgrep -P $ONE timeout)
kill -TERM $ONE
wait $ONE
outcome $(($? != 143)) "SIGTERM ends it with status 143"
[ -n "$CHILD" ] && ! kill -0 "$CHILD" 2>/dev/null
outcome $? "and its virtual machine"
grep -q "^CPU#1" "$WORK/err" && grep -q "^RIP=" "$WORK/err" &&
	grep -qE "^thread .* CPU 0/(TCG|KVM)" "$WORK/err"
outcome $? "and it says what that was at"
exit $RC
