# SPDX-License-Identifier: GPL-3.0-or-later
# One unit: its fields, its bytes; a unit without a table shows its bytes.
try dump "$SAMPLES/kvm.sav" --unit SSM
try dump "$SAMPLES/kvm.sav" --unit GIM/0 --hex
"$GIMSTATE" dump --raw "$SAMPLES/kvm.sav" --unit=tm/1 | wc -c
try dump --hex "$SAMPLES/kvm-live.sav" -u SSMLiveControl@0
try dump "$SAMPLES/kvm-live.sav" --unit SSMLiveControl/0@1
"$GIMSTATE" dump --raw "$SAMPLES/kvm.sav" | cksum
"$GIMSTATE" extract --unit GIM "$SAMPLES/kvm.sav" | cksum
try dump "$SAMPLES/kvm.sav" -uNOSUCH
try dump "$SAMPLES/kvm.sav" -u GIM/7
try dump "$SAMPLES/kvm.sav" -u GIM/x
try dump "$SAMPLES/kvm.sav" -u /1
