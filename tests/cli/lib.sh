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

# Pages in a browser without a window. What its console got is in the file console.
find_browser() {
	browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo "chromium is not here"; exit 77; }
	: >console
}
# browse PAGE OPTIONS…: what the page is after its scripts ran; what the console got is in the file console.
browse() {
	local page=$1
	shift
	HOME=$PWD timeout 300 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-extensions \
		--disable-background-networking --disable-component-update --disable-sync --host-resolver-rules='MAP * ~NOTFOUND' \
		--user-data-dir="$PWD/profile" --enable-logging=stderr --virtual-time-budget=2000 "$@" "file://$PWD/$page" 2>log
	grep -E 'CONSOLE' log >>console
}
# try_browser PAGE: skip where the browser does not start.
try_browser() {
	browse "$1" --dump-dom >dom.html
	[ -s dom.html ] || { echo "the browser does not start here"; exit 77; }
}
# What a page's own script said, in its element "said".
result() { sed -n '/<pre id="said">/,/<\/pre>/p' | sed 's/<[^>]*>//g; s/&amp;/\&/g'; }
