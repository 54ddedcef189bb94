# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Results of tests in shell, as TAP; to be sourced by bash. RC is 1 once one has failed.
#
# shellcheck disable=SC2034 # RC is for who sources this

NUMBER=0
RC=0

# result STATUS NAME [DIAGNOSTIC]
result()
{
	NUMBER=$((NUMBER + 1))
	[ -z "${3:-}" ] || printf '%s\n' "$3" | sed 's/^/# /'
	if [ "$1" -eq 0 ]; then
		echo "ok $NUMBER $2"
	else
		echo "not ok $NUMBER $2"
		RC=1
	fi
}
