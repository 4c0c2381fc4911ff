# SPDX-License-Identifier: GPL-3.0-or-later
four=$SAMPLES/hyperv-4.sav
# The same, and the same in other words.
try diff "$four" "$four"
try diff "$four" "$SAMPLES/hyperv-3.sav"
try diff "$four" "$SAMPLES/hyperv-4-unchecked.sav"
# One edit is one difference; with the meanings of both values.
"$GIMSTATE" set "$four" 'hyperv.vp[0].sint[2]=0x20053' -o edited.sav >/dev/null
try diff "$four" edited.sav
try diff "$four" edited.sav hyperv.vp
try diff "$four" edited.sav 'hyperv.vp[1]' gim
try diff "$four" edited.sav hyperv.vp --json
# What one layout cannot hold: defaults are told apart from what is lost.
try diff "$four" "$SAMPLES/hyperv-1.sav" hyperv gim
try diff "$four" "$SAMPLES/hyperv-1.sav" hyperv gim --all
"$GIMSTATE" set "$four" hyperv.debug.udp_guest_dst_port=0 hyperv.debug.udp_guest_src_port=0 -o plain.sav >/dev/null
"$GIMSTATE" convert plain.sav 3.sav --layout vbox-hyperv-3 >/dev/null
try diff plain.sav 3.sav
try diff plain.sav 3.sav --exact
# Two interfaces; a list that is longer in one state.
try diff "$SAMPLES/kvm.sav" "$four"
# From a pipe.
"$GIMSTATE" diff "$four" - <"$four"
echo "[$?]"
# No answer.
try diff "$four" nothing.sav
try diff "$four" "$four" hyperv.nothing
try diff - -
try diff "$four"
head -c 700 "$four" >cut.sav
try diff cut.sav "$four"
try diff cut.sav "$four" --json
