# SPDX-License-Identifier: GPL-3.0-or-later
# The shell: commands on a state that is held, changes, undo, saving, scripts and where they fail.
run() { "$GIMSTATE" "$@" 2>&1; echo "exit $?"; }
script() { cat >script.gsh; run shell "$@" <script.gsh; }
cp "$SAMPLES/hyperv-4.sav" state.sav
echo "== the open state is implied; a change is shown, undone, done again, saved"
script state.sav <<'GSH'
# comments and blank lines are nothing

get hyperv.guest_os_id
set hyperv.guest_os_id=0x8100000000000000 'hyperv.vp[0].sint[2]'=0x51   # both are one change
get hyperv.guest_os_id
diff
diff hyperv.guest_os_id
undo
get hyperv.guest_os_id
redo
undo
redo
changes
set hyperv.tsc_sequence=7
changes
undo
verify
save
changes
diff
quit
GSH
run get state.sav hyperv.guest_os_id hyperv.tsc_sequence
run verify state.sav
echo "== undo beyond a save gives the first bytes again"
run shell state.sav -c 'set hyperv.tsc_sequence=9' -c 'save' -c 'undo' -c 'save copy.sav' -c 'quit'
cmp state.sav copy.sav >/dev/null || echo "they differ, as they should"
cp "$SAMPLES/hyperv-4.sav" a.sav
run shell a.sav -c 'set hyperv.tsc_sequence=9' -c 'save' -c 'undo' -c 'save'
cmp a.sav "$SAMPLES/hyperv-4.sav" && echo "the same bytes"
echo "== whole commands see changes too"
run shell a.sav -c 'set hyperv.tsc_sequence=9' -c 'dump --unit GIM' -c 'quit!' | grep tsc_sequence
run shell a.sav -c 'set hyperv.guest_os_id=1' -c 'extract --unit GIM -o gim.bin' -c 'quit!' >/dev/null && od -An -tx8 -j 4 -N 8 gim.bin | head -1 | grep -c .
run shell a.sav -c 'set hyperv.tsc_sequence=9' -c 'verify' -c 'info' -c 'quit!' | grep -E 'ok|layout|exit'
run shell a.sav -c 'convert --lossy --to vbox:5.2' -c 'get gim.layout' -c 'save b.sav' -c 'get gim.layout' -c undo -c undo
run get b.sav gim.layout
run shell a.sav -c 'convert --lossy --force --to vbox:5.2 b.sav'
run shell a.sav -c 'diff b.sav hyperv.features.partition' -c 'dump b.sav' | tail -2
run shell a.sav -c 'set hyperv.tsc_sequence=9 -o c.sav' -c 'get hyperv.tsc_sequence'
run get c.sav hyperv.tsc_sequence
cp "$SAMPLES/hyperv-cpum.sav" cpum.sav
run shell cpum.sav -c 'set hyperv.features.hints=+relaxed_timing,-reset_msr' -c 'diff guest.cpuid' -c 'save' -c 'verify'
echo "== nothing is lost without asking"
run shell a.sav -c 'set hyperv.tsc_sequence=9'
run shell a.sav -c 'set hyperv.tsc_sequence=9' -c quit -c 'echo not reached'
run shell a.sav -c 'set hyperv.tsc_sequence=9' -c 'open b.sav'
run shell a.sav -c 'set hyperv.tsc_sequence=9' -c 'open none.sav'
run shell a.sav -c 'set hyperv.tsc_sequence=9' -c 'open --force b.sav' -c 'get gim.layout'
run shell a.sav -c 'set hyperv.tsc_sequence=9' -c 'quit --force'
run shell a.sav -c 'set hyperv.tsc_sequence=9' -c 'save b.sav'
run shell a.sav -c 'set hyperv.tsc_sequence=9' -c 'set --in-place hyperv.tsc_sequence=3' -c 'quit!'
cp a.sav moved.sav
run shell moved.sav -c "set hyperv.tsc_sequence=9" -c "set -o moved2.sav hyperv.tsc_sequence=3" -c "save"
echo "== a script ends at its first error, -k goes on"
printf 'echo one\nget hyperv.nothing\necho two\n' >bad.gsh
script state.sav <<'GSH'
source bad.gsh
echo three
GSH
run shell -k state.sav -c 'source bad.gsh' -c 'diff a.sav hyperv.guest_os_id' -c 'echo three'
run shell state.sav -c 'diff a.sav hyperv.guest_os_id' -c 'echo a difference is an answer'
run shell state.sav -c 'get hyperv.reenlightenment.control' -c 'echo not reached'
run shell state.sav -c "echo 'two  words' \"a \\\" quote\" back\\ slash # comment" -c "echo 'open"
echo 'source loop.gsh' >loop.gsh
run shell -c 'source loop.gsh' | tail -3
echo "== mistakes"
run shell none.sav
run shell . -c info
run shell -
run shell -c dump
run shell -c frobnicate
run shell -c shell
run shell -c undo
run shell state.sav -c undo
run shell state.sav -c redo
run shell state.sav -c 'set'
run shell state.sav -c 'set hyperv.tsc_sequence=x'
run shell state.sav -c 'save a.sav'
run shell state.sav -c 'source none.gsh'
run shell state.sav -c 'save one two'
run shell -c 'help undo'
run shell -c 'help get'
run undo
printf 'echo a\0b\n' | run shell
run shell </dev/zero
head -c 70000 /dev/zero | tr '\0' x | run shell
printf 'echo no newline at the end' | run shell
