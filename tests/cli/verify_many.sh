# SPDX-License-Identifier: GPL-3.0-or-later
# Over many files 2 outranks 1, and every file has its say.
head -c 500 "$SAMPLES/kvm.sav" >short.sav
status verify "$SAMPLES/kvm.sav" "$SAMPLES/none.sav"
status verify "$SAMPLES/kvm.sav" short.sav
status verify short.sav "$SAMPLES/kvm.sav"
status verify short.sav missing.sav "$SAMPLES/kvm.sav"
status verify missing.sav short.sav
"$GIMSTATE" verify short.sav missing.sav "$SAMPLES/kvm.sav" 2>&1 | grep -cE '^short.sav: corrupt|missing.sav: |: ok$'
"$GIMSTATE" verify --ndjson short.sav missing.sav "$SAMPLES/kvm.sav" | grep -c '^{"gimstate":1,'
"$GIMSTATE" verify --json short.sav missing.sav | grep -cE '^  "(gimstate|files|error)"'
