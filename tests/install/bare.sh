# SPDX-License-Identifier: GPL-3.0-or-later
# bare_debian FOLDER: makes it the root of a fresh Debian of this suite, with the libraries that gimstate is linked with. Kept in ~/.cache/gimstate, and renewed after a
# week. Exits 77 where none can be fetched. Needs root, debootstrap, $scratch, and must of who sources it.
. /etc/os-release
suite=${VERSION_CODENAME:-stable}
bare_debian() {
	local cache=${XDG_CACHE_HOME:-$HOME/.cache}/gimstate/debian-$suite.tar
	if [ -z "$(find "$cache" -mtime -7 2>/dev/null)" ]; then
		mkdir -p "${cache%/*}"
		debootstrap --variant=minbase --include=libarchive13,libnettle8,libreadline8,libjansson4,libdeflate0,libexpat1,zlib1g \
			"$suite" "$scratch/bare" >"$scratch/log" 2>&1 || { echo "no Debian can be fetched: $(tail -n 1 "$scratch/log")"; exit 77; }
		must tar -C "$scratch/bare" --exclude=./var/cache/apt --exclude=./var/lib/apt/lists --one-file-system -cf "$cache.new" .
		must mv "$cache.new" "$cache"
		rm -rf --one-file-system "$scratch/bare"
	fi
	must mkdir "$1" && must tar -xf "$cache" -C "$1"
}
