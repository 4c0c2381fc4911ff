# SPDX-License-Identifier: GPL-3.0-or-later
# Mistakes in the command line are 2, and are told on stderr.
try
try nosuch
try dump
try dump a b
try dump a --nosuch
try dump a -x
try dump a --unit
try dump a --json=1
try dump "$SAMPLES/kvm.sav" --raw --hex
try dump "$SAMPLES/kvm.sav" --all --unit GIM
try get "$SAMPLES/kvm.sav"
try verify
try dump a --nosuch --json
try --json nosuch
try --json dump
# Options may follow operands, and -- ends them.
status info "$SAMPLES/kvm.sav" --json
status --json info "$SAMPLES/kvm.sav"
cp "$SAMPLES/kvm.sav" ./-x
status info -- -x
status info -x
