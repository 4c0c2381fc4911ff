# SPDX-License-Identifier: GPL-3.0-or-later
# What all scripts here may use.
# shellcheck shell=bash

# try ARGUMENTS…: runs the command, shows how it was called, what it printed (names without their folders) and its exit status.
try() {
	echo "\$ gimstate ${*//$SAMPLES\//}"
	"$GIMSTATE" "$@" 2>&1 | sed "s|$SAMPLES/||g; s|$PWD/||g"
	echo "[${PIPESTATUS[0]}]"
}

# status ARGUMENTS…: only the exit status.
status() {
	"$GIMSTATE" "$@" >/dev/null 2>&1
	echo "[$?] gimstate ${*//$SAMPLES\//}"
}

# poke FILE OFFSET BYTES: overwrites bytes, which are written as for printf.
poke() {
	printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# find_bytes FILE TEXT: the offset of the first TEXT in FILE.
find_bytes() {
	grep -abo -m 1 -e "$2" "$1" | head -n 1 | cut -d: -f1
}
