# SPDX-License-Identifier: GPL-3.0-or-later
try info "$SAMPLES/hyperv-4.sav"
try info "$SAMPLES/kvm-live.sav"
try info --json "$SAMPLES/kvm.sav"
