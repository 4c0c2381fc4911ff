# SPDX-License-Identifier: GPL-3.0-or-later
# What a parser that was taken over can do: a command whose reading of its input misbehaves, in the sandbox and without it.
bad=$(dirname "$GIMSTATE")/tests/sandbox/gimstate
[ -x "$bad" ] || { echo "there is no $bad: make check builds it"; exit 77; }
"$bad" --sandbox require get "$SAMPLES/kvm.sav" gim.provider >/dev/null 2>why || { echo "no sandbox here: $(cat why)"; exit 77; }
cp "$SAMPLES/hyperv-4.sav" a.sav
export GIMSTATE_VICTIM=a.sav
attempt() { # MODE MISDEED COMMAND…
	local mode=$1 misdeed=$2 status
	shift 2
	{ GIMSTATE_MISDEED=$misdeed "$bad" --sandbox "$mode" "$@" >out 2>err; } 2>/dev/null
	status=$?
	# 159: killed by SIGSYS.
	echo "$mode $misdeed, $1: $(tr '\n' ' ' <err)[$status]"
}
for misdeed in execve thread fork open list make change remove socket code kill; do
	attempt require $misdeed dump a.sav
done
attempt require execve verify a.sav
attempt require open diff a.sav "$SAMPLES/hyperv-3.sav"
attempt require open extract a.sav --unit GIM -o payload
attempt require execve check a.sav --target vbox:7.2
attempt require make check a.sav --target vbox:7.2
attempt require worker:fork check -j 2 a.sav a.sav --target vbox:7.2
echo "- each kind of access: to a copy, to any file, to a machine, to a session's files"
for misdeed in execve open code; do
	attempt require $misdeed mem "$SAMPLES/kvm-ram.sav" 0x7c00 2 --as disasm
	attempt require $misdeed set a.sav hyperv.tsc_sequence=7 -o b.sav --force
	attempt require $misdeed check a.sav --target vbox:7.2
	attempt require $misdeed replay a.sav --engine core
	attempt require $misdeed shell a.sav -c info
done
rm -f b.sav
for misdeed in make socket fork kill; do
	attempt require $misdeed replay a.sav --engine core
	attempt require $misdeed shell a.sav -c info
done
rm -f made
echo "- without it all is done"
for misdeed in open list change socket code fork; do
	attempt off $misdeed dump a.sav
done
"$GIMSTATE" --version -v | sed 's/[0-9]\+/N/g'
try --sandbox off --version -v
try --sandbox perhaps dump a.sav
try --sandbox
try dump a.sav --sandbox require --unit GIM | tail -n 1
echo "- libraries are loaded before"
try --sandbox require replay a.sav --engine core --save-after c.gimb | tail -n 3
try --sandbox require shell a.sav -c 'pack -o d.gimb' -c 'start core' | tail -n 2
rm -f c.gimb d.gimb
echo "- compressed, from a pipe, and in an archive"
gzip -k a.sav && tar -cf a.tar a.sav && gzip -k a.tar
for input in a.sav.gz a.tar//a.sav a.tar.gz//a.sav; do
	"$GIMSTATE" --sandbox require get $input gim.provider
done
gzip -c a.sav | "$GIMSTATE" --sandbox require get - gim.provider
"$GIMSTATE" --sandbox require pack a.sav --whole -o a.gimb >/dev/null && "$GIMSTATE" --sandbox require verify a.gimb && "$GIMSTATE" --sandbox require unpack a.gimb -o folder | head -n 1
"$GIMSTATE" --sandbox require set a.sav hyperv.tsc_sequence=7 --in-place && "$GIMSTATE" --sandbox require convert a.sav b.sav.zst --to vbox:6.1 | tail -n 1
ls
