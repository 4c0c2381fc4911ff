# SPDX-License-Identifier: GPL-3.0-or-later
try verify "$SAMPLES"/*.sav
try verify --quick "$SAMPLES/kvm.sav"
head -c 500 "$SAMPLES/kvm.sav" >short.sav
status verify short.sav
cat "$SAMPLES/kvm.sav" | "$GIMSTATE" verify -
echo "[$?]"
