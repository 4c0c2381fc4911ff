# SPDX-License-Identifier: GPL-3.0-or-later
try profile "$SAMPLES/kvm.sav"
try profile vbox:5.2
# What is printed is read again as the same.
"$GIMSTATE" profile "$SAMPLES/hyperv-4.sav" >one.json
"$GIMSTATE" profile one.json >two.json
cmp one.json two.json && echo same
try profile vbox:3.2
try profile nothing
# The host: what it offers, or a sentence on why it cannot be asked.
"$GIMSTATE" profile host >host.json 2>error
case $? in
0) "$GIMSTATE" profile host.json | cmp - host.json ;;
2) grep -q '^gimstate: host: this machine cannot be asked what it offers guests: ' error || cat error ;;
*) echo "another exit status" ;;
esac
