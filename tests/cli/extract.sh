# SPDX-License-Identifier: GPL-3.0-or-later
state=$SAMPLES/hyperv-4.sav
umask 022
"$GIMSTATE" extract "$state" --unit GIM/0@final >one && "$GIMSTATE" extract --unit GIM -o two "$state" && cmp one two && echo same
try extract "$state" --unit GIM -o two
try extract "$state" --unit GIM -o two --force
try extract "$state" --unit GIM -o new --json
stat -c %a two new
cp "$state" own.sav
try extract own.sav --unit GIM -o own.sav --force
cmp "$state" own.sav
try extract "$state" --unit GIM -o missing/out
try extract "$state" --unit GIM -o .
try extract "$state" --unit NOSUCH -o out
try extract "$state"
try extract "$state" --unit GIM --screenshot
try extract "$state" --screenshot
try extract "$state" --field hyperv.hypercall_page.description
echo
try extract "$state" --field hyperv.hypercall
try extract "$state" --field hyperv.nosuch
try extract "$state" --unit GIM --json
"$GIMSTATE" extract - --unit GIM <"$state" | cmp - one && echo same
mkfifo pipe && try extract "$state" --unit GIM -o pipe --force
# Nothing is left behind.
ls
