#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# migration_version from the shell: who may write it and how, which errno a
# refusal has, what the kernel's log says, and which devices are compatible.
# Everything is done with the file of a type and with that of an instance.

# shellcheck disable=SC2317	# test_that calls them by name
# shellcheck source=tools/testing/selftests/mimic/tap.sh
. "$(dirname "$0")/tap.sh"

begin
U1=$(uuid)
U2=$(uuid)
create $A 8 "$U1" >/dev/null
create $B 8 "$U2" >/dev/null
V=$(version $A 8)
N=${#V}

# each FUNCTION [ARG...]: with every file that leads to a judge of this type
each()
{
	local f

	for f in "$(type_dir "$A" 8)/migration_version" \
		"$MDEVS/$U1/mdev_type/migration_version" \
		"$MDEVS/$U1/migration_version"; do
		FILE=$f
		("$@") || fail "with $f"
	done
}

# verdict WANT TEXT: of FILE
verdict() { is "$1" "$(put "$2" "$FILE")" "'$(printf %q "$2")'"; }

ver01()
{
	is "$V" "$(cat "$FILE")" "string"
	# In pieces: by bytes, and from the middle.
	is "$V" "$(dd if="$FILE" bs=1 2>/dev/null)" "by bytes (VER-10)"
	is "${V:5}" "$("$SYSIO" read "$FILE" -o 5)" "from byte 5 (VER-10)"
	is "" "$("$SYSIO" read "$FILE" -o $((N + 1)))" "behind the end"
}

# With and without an instance, and after one has come and gone.
ver01_before_creation()
{
	local u

	u=$(uuid)
	is "$V" "$(version "$B" 8)"
	is 36 "$(create "$B" 2 "$u")"
	is "$V" "$(version "$B" 8)" "with other instances"
	is 1 "$(remove "$u")"
	is "$V" "$(version "$B" 8)" "after it"
}

ver02()
{
	is "$((N + 1))" "$(wc -c <"$FILE")" "bytes"
	is 1 "$(wc -l <"$FILE")" "lines"
	[ "$N" -le 254 ] || fail "too long"
	! LC_ALL=C grep -q '[^!-~]' "$FILE" || fail "not printable"
	! grep -q "$U1" "$FILE" || fail "names the instance"
	! grep -q "4d49" "$FILE" || fail "names the parent"
	case $V in
	mimic,accel,stream=*) ;;
	*) fail "does not begin with vendor, model and stream" ;;
	esac
}

ver04()
{
	verdict "$N" "$V"
	verdict EOPNOTSUPP "${V/stream=1./stream=2.}"
	verdict EOPNOTSUPP "${V/stream=1./stream=0.}"
	verdict EOPNOTSUPP "${V/stream=1.1/stream=1.2}"
	verdict EOPNOTSUPP "$V,unknown=1"
	verdict EXDEV "${V/mimic/other}"
	verdict EXDEV "${V/accel/probe}"
	verdict EXDEV "${V/rings=2/rings=3}"
	verdict EXDEV "${V/memory=/memory=1}"
	verdict "$N" "$V"
}

ver05()
{
	verdict "$N" "$V"
	is $((N + 1)) "$(printf '%s\n' "$V" | "$SYSIO" write "$FILE")" "newline"
	verdict EINVAL "$V"$'\n\n'
	verdict EINVAL $'\n'"$V"
	verdict EINVAL "$V "
	verdict EINVAL " $V"
	verdict EINVAL "$V"$'\t'
	verdict EINVAL "$V"$'\r\n'
	verdict EINVAL "$V"$'\n '
	is EINVAL "$(printf '%s\0' "$V" | "$SYSIO" write "$FILE")" "NUL"
	is EINVAL "$(printf '%s\n\0' "$V" | "$SYSIO" write "$FILE")" "newline, NUL"
}

ver06()
{
	is 0 "$("$SYSIO" write "$FILE" </dev/null)" "no bytes"
	verdict EINVAL $'\n'
	verdict EINVAL " "
	is EINVAL "$(printf '\0' | "$SYSIO" write "$FILE")" "NUL"
	# As a user who forgot to set a variable does it.
	! (echo "" >"$FILE") 2>/dev/null || fail "an empty echo succeeded"
}

ver07()
{
	local i

	for ((i = 1; i < N; i += 3)); do
		is EINVAL "$(put "${V:0:i}" "$FILE")" "$i bytes"
	done
	verdict EINVAL "${V}x"
	verdict EINVAL "$V,"
	verdict EINVAL "$V$V"
	verdict EINVAL "${V^^}"
	verdict EINVAL "${V/memory=/memory=0}"
	verdict EINVAL "${V/memory/Memory}"
	verdict EINVAL "${V/=/ = }"
}

ver08()
{
	is EINVAL "$(printf %s "${V:1}" | "$SYSIO" write "$FILE" -o 1)" "tail"
	is EINVAL "$(printf %s "$V" | "$SYSIO" write "$FILE" -o 1)" "at 1"
	is EINVAL "$(printf %s "$V" | "$SYSIO" write "$FILE" -o 4096)" "at 4096"
	is "$N" "$(printf %s "$V" | "$SYSIO" write "$FILE" -a)" "O_APPEND"
	is EINVAL "$(printf %s "${V}x" | "$SYSIO" write "$FILE" -a)" "O_APPEND"
	# A shell's append, and two writes to one open file.
	echo "$V" >>"$FILE" || fail ">>"
	! (printf %s "$V"; printf %s "$V" 2>/dev/null) >"$FILE" ||
		fail "a second write"
}

ver09()
{
	local n r

	for n in 255 256 4095 4096 4097 8192 1048576; do
		r=$(head -c "$n" /dev/zero | tr '\0' a | "$SYSIO" write "$FILE")
		case $r in
		EINVAL | E2BIG) ;;
		*) fail "$n bytes: $r" ;;
		esac
		r=$({
			printf '%s\n' "$V"
			head -c "$n" /dev/zero
		} | "$SYSIO" write "$FILE")
		case $r in
		EINVAL | E2BIG) ;;
		*) fail "good one and $n more: $r" ;;
		esac
	done
}

# without WHAT COMMAND...: with less power
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
no_override()
{
	setpriv --bounding-set=-dac_override,-dac_read_search \
		--inh-caps=-dac_override,-dac_read_search "$@"
}

ver13()
{
	is 644 "$(stat -Lc %a "$FILE")" "mode"
	is 0:0 "$(stat -Lc %u:%g "$FILE")" "owner"
	is 0 "$(as_nobody "$SYSIO" open "$FILE" r)" "read"
	is EACCES "$(as_nobody "$SYSIO" open "$FILE" w)" "write"
	is EACCES "$(as_nobody "$SYSIO" open "$FILE" rw)" "both"
	is "$V" "$(as_nobody cat "$FILE")" "content"
	is "$N" "$(printf %s "$V" | no_override "$SYSIO" write "$FILE")" "root"
}

ver14()
{
	local before i

	before=$(left "$A")
	for i in 1 2 3; do
		printf %s "x$V" | "$SYSIO" write "$FILE" -r 1000 >/dev/null
		is "$N" "$(printf %s "$V" | "$SYSIO" write "$FILE" -r 1000)"
	done
	is "$before" "$(left "$A")" "capacity"
	is "$V" "$(cat "$FILE")" "string"
}

# Compatibility is not capacity: a full parent says yes all the same.
ver04_not_capacity()
{
	local u=() i

	for i in 1 2 3 4 5 6 7; do
		u[i]=$(uuid)
		is 36 "$(create "$B" 8 "${u[i]}")"
	done
	is 0 "$(cat "$(type_dir "$B" 8)/available_instances")"
	is "$N" "$(put "$V" "$(type_dir "$B" 8)/migration_version")"
	for i in "${u[@]}"; do remove "$i" >/dev/null; done
}

# keep FILE: a process with the file open, that is told what to do
keep()
{
	OUT=$(mktemp)
	exec {KEEP}> >(exec "$SYSIO" keep "$1" >"$OUT")
	within grep -q . "$OUT" || fail "cannot open"
}

# told COUNT: the answer to command number COUNT is there
told() { [ "$(wc -l <"$OUT")" -gt "$1" ]; }

# tell COUNT COMMAND: give it, print the answer
tell()
{
	echo "$2" >&"$KEEP"
	within told "$1" || fail "no answer"
	sed -n "$(($1 + 1))p" "$OUT"
}

ver15_parent_gone()
{
	keep "$(type_dir "$C" 8)/migration_version"
	is "$((${#V} + 1))" "$(tell 1 read)" "length"	# same number of digits
	is ${#C} "$(put "$C" "$DRIVER"/unbind)"
	is ENODEV "$(tell 2 read)" "read"
	is ENODEV "$(tell 3 "write $V")" "write"
	is ${#C} "$(put "$C" "$DRIVER"/bind)"
	# The file of before stays dead.
	is ENODEV "$(tell 4 read)" "read after it is back"
	exec {KEEP}>&-
	rm -f "$OUT"
}

ver15_instance_gone()
{
	local u

	u=$(uuid)
	is 36 "$(create "$C" 8 "$u")"
	keep "$MDEVS/$u/migration_version"
	is 1 "$(remove "$u")" "removal does not wait for the file"
	is ENODEV "$(tell 1 read)" "read"
	is ENODEV "$(tell 2 "write $V")" "write"
	exec {KEEP}>&-
	rm -f "$OUT"
}

ver15_module_gone()
{
	keep "$(type_dir "$A" 8)/migration_version"
	"$TOP/scripts/unload" || fail "unload with an open attribute"
	is ENODEV "$(tell 1 read)" "read"
	is ENODEV "$(tell 2 "write $V")" "write"
	exec {KEEP}>&-
	rm -f "$OUT"
	"$TOP/scripts/load" || fail "load"
}

# Same memory, same string, whatever the type is called; and no other pair.
compatible_pairs()
{
	local pa ta pb tb va vb want same_memory fa fb

	for pa in $A $B $C; do for ta in 1 2 4 8; do
		va=$(version "$pa" "$ta")
		fa=$(grep memory: "$(type_dir "$pa" "$ta")/description")
		for pb in $A $C; do for tb in 1 2 4 8; do
			vb=$(version "$pb" "$tb")
			fb=$(grep memory: "$(type_dir "$pb" "$tb")/description")
			same_memory=no
			want=EXDEV
			if [ "$fa" = "$fb" ]; then
				same_memory=yes
				want=${#va}
				is "$va" "$vb" "$pa/$ta and $pb/$tb"
			else
				[ "$va" != "$vb" ] || fail "$pa/$ta = $pb/$tb"
			fi
			is "$want" "$(put "$va" \
				"$(type_dir "$pb" "$tb")/migration_version")" \
				"$pa/$ta to $pb/$tb (same: $same_memory)"
		done; done
	done; done
	is "$(version "$A" 4)" "$(version "$C" 8)" "256/4 and 512/8 MiB"
}

ver12_ver17_instances()
{
	local u

	for t in $TYPES; do
		u=$(uuid)
		is 36 "$(create "$C" "$t" "$u")"
		if [ "$t" = fixed ]; then
			[ ! -e "$MDEVS/$u/migration_version" ] || fail "instance"
			[ ! -e "$MDEVS/$u/mdev_type/migration_version" ] ||
				fail "type"
			! cat "$(type_dir "$C" fixed)/migration_version" \
				2>/dev/null || fail "read"
			! (echo "$V" >"$(type_dir "$C" fixed)/migration_version") \
				2>/dev/null || fail "write"
		else
			is "$(version "$C" "$t")" \
				"$(cat "$MDEVS/$u/migration_version")" "$t"
		fi
		is 1 "$(remove "$u")"
	done
}

# The log is fresh, so that no line of these is held back.
log_names_the_reason()
{
	local who

	mark
	put "${V/memory=33554432/memory=1048576}" \
		"$(type_dir "$A" 8)/migration_version" >/dev/null
	put "${V/stream=1.1/stream=1.7}" "$MDEVS/$U1/migration_version" >/dev/null
	put "${V/rings=2/rings=9}" "$MDEVS/$U1/mdev_type/migration_version" \
		>/dev/null
	put "other${V#mimic}" "$(type_dir "$A" 8)/migration_version" >/dev/null
	put "${V^}" "$(type_dir "$A" 8)/migration_version" >/dev/null
	put "${V%,*}" "$(type_dir "$A" 8)/migration_version" >/dev/null
	put "$V" "$(type_dir "$A" 8)/migration_version" >/dev/null
	is 6 "$(said | grep -c migration_version)" "a line for each, none for success"
	who="$A/mimic-accel_8"
	said | grep -q "$who.*memory.*\"1048576\".*\"33554432\"" || fail memory
	said | grep -q "$U1.*stream.*\"1.7\".*\"1.1\"" || fail stream
	said | grep -q "$who.*rings.*\"9\".*\"2\"" || fail rings
	said | grep -q "$who.*vendor.*\"other\".*\"mimic\"" || fail vendor
	said | grep -q "$who.*malformed from \"Mimic" || fail malformed
	said | grep -q "$who.*ends too early" || fail "cut off"
}

# What a user writes is a user's: escaped, cut, and not too often.
log_is_safe()
{
	local lines begin end

	sleep 6			# let the window of the limit pass
	mark
	printf 'mimic\x1b[31m\n<0>injected: line' |
		"$SYSIO" write "$(type_dir "$A" 8)/migration_version" >/dev/null
	head -c 250 /dev/zero | tr '\0' Q |
		"$SYSIO" write "$(type_dir "$A" 8)/migration_version" >/dev/null
	is 2 "$(said | grep -c 'migration_version refused')" "lines"
	! said | grep -q $'\x1b' || fail "an escape sequence came through"
	! said | grep -v 'migration_version refused' | grep -q injected ||
		fail "a line was injected"
	! said | grep -qE 'Q{65}' || fail "a long string was not cut"
	mark
	begin=$SECONDS
	printf '%s' "x$V" |
		"$SYSIO" write "$(type_dir "$A" 8)/migration_version" -r 5000 \
		>/dev/null
	end=$SECONDS
	lines=$(said | grep -c 'migration_version refused')
	[ "$lines" -le $((10 * ((end - begin) / 5 + 2))) ] ||
		fail "$lines lines for 5000 refusals"
}

# --- The usage examples, as they were printed ----------------------------

# shellcheck disable=SC2086,SC2046,SC2010,SC2012	# that is how they were printed
usage_examples()
{
	local UUID1=$U1 UUID2=$U2 MDEV_UUID=$U1 MDEV_TYPE=mimic-accel_8
	local PARENT=$B VERSION

	is mimic-accel_8 "$(basename $(readlink -f /sys/bus/mdev/devices/$MDEV_UUID/mdev_type/))"
	is 3 "$(ls /sys/class/mdev_bus/*/mdev_supported_types/ | grep -c mimic-accel_8)"
	VERSION=$(cat /sys/bus/mdev/devices/$UUID1/mdev_type/migration_version) ||
		fail "by the device"
	# Three parents, of which two are alike.
	is 3 "$(cat /sys/class/mdev_bus/*/mdev_supported_types/$MDEV_TYPE/migration_version | wc -l)"
	is 2 "$(cat /sys/class/mdev_bus/*/mdev_supported_types/$MDEV_TYPE/migration_version | sort -u | wc -l)"
	echo $VERSION > /sys/bus/mdev/devices/$UUID2/mdev_type/migration_version ||
		fail "test at an instance"
	echo $VERSION > \
/sys/class/mdev_bus/$PARENT/mdev_supported_types/$MDEV_TYPE/migration_version ||
		fail "test at a type"
	# And the other way round.
	VERSION=$(cat /sys/bus/mdev/devices/$UUID2/mdev_type/migration_version)
	echo $VERSION > /sys/bus/mdev/devices/$UUID1/mdev_type/migration_version ||
		fail "back"
	# A parent of another kind: the write fails, and the shell says so.
	PARENT=$C
	! (echo $VERSION > \
/sys/class/mdev_bus/$PARENT/mdev_supported_types/$MDEV_TYPE/migration_version) \
		2>/dev/null || fail "another kind of parent"
}

# The same in the plainest shell there is.
usage_in_sh()
{
	UUID1=$U1 UUID2=$U2 PARENT=$B MDEV_TYPE=mimic-accel_8 sh -e <<'SH' ||
VERSION=$(cat /sys/bus/mdev/devices/$UUID1/mdev_type/migration_version)
echo $VERSION > /sys/bus/mdev/devices/$UUID2/mdev_type/migration_version
echo $VERSION > \
/sys/class/mdev_bus/$PARENT/mdev_supported_types/$MDEV_TYPE/migration_version
SH
		fail "sh"
}

test_that "a refusal is logged with field and both values" log_names_the_reason
test_that "the log cannot be flooded or forged" log_is_safe
test_that "VER-01 usage examples as printed, both ways" usage_examples
test_that "VER-01 usage examples in sh" usage_in_sh
test_that "VER-01 VER-10 the same string by every path and piece" each ver01
test_that "VER-01 also while no device exists" ver01_before_creation
test_that "VER-02 VER-03 VER-16 shape of the string" each ver02
test_that "VER-04 verdicts and their errno" each ver04
test_that "VER-04 compatibility is not capacity" ver04_not_capacity
test_that "VER-05 one newline at most" each ver05
test_that "VER-06 empty strings" each ver06
test_that "VER-07 a piece is another string" each ver07
test_that "VER-08 offsets and appending" each ver08
test_that "VER-09 strings that are too long" each ver09
test_that "VER-13 who may read and write" each ver13
test_that "VER-14 no side effect" each ver14
test_that "VER-16 equal strings where memory is equal, and only there" \
	compatible_pairs
test_that "VER-12 VER-17 instances of each type" ver12_ver17_instances
test_that "VER-15 file open while the parent goes" ver15_parent_gone
test_that "VER-15 file open while the instance goes" ver15_instance_gone
test_that "VER-15 file open while the module goes" ver15_module_gone
finish
