# SPDX-License-Identifier: GPL-3.0-or-later
# The example in docs/ that embeds the runtime core.
example=${GIMSTATE%/*}/docs/examples/embed
[ -x "$example" ] || { echo "there is no $example: make check builds it"; exit 77; }
"$example"
echo "[$?]"
