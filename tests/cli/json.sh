# SPDX-License-Identifier: GPL-3.0-or-later
# Every document fits the schema, is the only thing on stdout, and stderr stays silent.
python=/usr/bin/python3
[ -x $python ] || python=python3
$python -c 'import jsonschema' 2>/dev/null || { echo "python3-jsonschema is not here"; exit 77; }
cat >check.py <<'END'
import json, sys, jsonschema
jsonschema.Draft202012Validator.check_schema(schema := json.load(open(sys.argv[1])))
validator = jsonschema.Draft202012Validator(schema)
def no_repeats(pairs):
    assert len(dict(pairs)) == len(pairs), "a key is repeated"
    return dict(pairs)
number = 0
for number, line in enumerate(open("calls", errors="replace"), 1):
    document = json.loads(open(f"{number}.json").read(), object_pairs_hook=no_repeats)
    best = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if best:
        print(line.strip(), best.message[:300], list(best.absolute_path))
print("enough documents" if number > 200 else f"only {number} documents")
END
calls=0
call() {
	calls=$((calls + 1))
	echo "$*" >>calls
	"$GIMSTATE" "$@" >$calls.json 2>error
	[ ! -s error ] || echo "$*: $(cat error)"
}
# document FILE: one that a command wrote.
document() {
	calls=$((calls + 1))
	echo "$1" >>calls
	cp "$1" $calls.json
}
for state in "$SAMPLES"/*.sav; do
	call dump --json "$state"
	call dump --json --all "$state"
	call info --json "$state"
	call units --json "$state"
	call verify --json "$state"
	call verify --ndjson "$state"
	call get --json "$state" gim hyperv kvm source.size_bytes 'hyperv.vp[0].sint'
	# A document is a state too, and gives the same document, but for where it comes from.
	"$GIMSTATE" dump --json --all "$state" >state.json
	call dump --json --all state.json
	diff <(sed '/"source": {/,/^  }/d' state.json) <(sed '/"source": {/,/^  }/d' $calls.json)
	for command in dump info units verify; do call $command --json state.json; done
	call set --json -o same --force "$state" --from state.json
	cmp "$state" same
	call set --json -o written.json --force state.json gim.provider_version=7
	document written.json
done
sed '/^  "gim":/,/^  },/d' state.json >native.json
call convert --json native.json refused --layout vbox-kvm-1
"$GIMSTATE" dump --json "$SAMPLES/hyperv-1.sav" | sed '/^  "gim":/,/^  },/d' >native.json
call set --json -o crashed.json native.json hyperv.crash.p0=1
document crashed.json
call diff --json "$SAMPLES/hyperv-4.sav" "$SAMPLES/hyperv-1.sav"
call diff --json --all "$SAMPLES/hyperv-4.sav" "$SAMPLES/kvm.sav"
call diff --json --exact "$SAMPLES/kvm.sav" "$SAMPLES/kvm-live.sav" guest.vcpus
call diff --json "$SAMPLES/kvm.sav" nothing
call check --json "$SAMPLES/hyperv-4.sav" "$SAMPLES/kvm.sav" nothing --target vbox:7.2 --target vbox:5.1 --target "$SAMPLES/kvm.sav" --target nothing
call check --json "$SAMPLES/hyperv-4.sav"
call check --json "$SAMPLES/hyperv-4.sav" -t vbox:5.2 --write-baseline baseline.json
call check --json "$SAMPLES/hyperv-4.sav" --config baseline.json
call check --json "$SAMPLES/hyperv-4.sav" --config nothing.json
for target in "$SAMPLES/hyperv-4.sav" "$SAMPLES/kvm.sav" vbox:7.2 nothing; do call profile --json "$target"; done
calls=$((calls + 1)) && echo "the configuration" >>calls && cp baseline.json $calls.json
for state in hyperv-cpum.sav old-1.2.sav none.sav; do
	call pack --json "$SAMPLES/$state" -o $state.gimb --force
	call pack --json "$SAMPLES/$state" -o $state.zip --force --whole
	call unpack --json $state.gimb -o $state.out
	for command in dump info units verify; do call $command --json $state.gimb; call $command --json $state.zip; done
done
call pack --json - -o kvm.tar --with vga <"$SAMPLES/kvm-memory.sav"
call unpack --json kvm.tar --member gim.bin -o gim.bin
call pack --json nothing -o nothing.gimb
call unpack --json nothing -o out2
call rules --json
call rules --json GIM-PAGE-SIZE
call rules --json NO-RULE
call fields --json
call fields --json hyperv.features
call fields --json --layout vbox-hyperv-2
call extract --json -o out "$SAMPLES/kvm.sav" --unit GIM
call extract --json -o out "$SAMPLES/kvm.sav" --unit GIM
call extract --json "$SAMPLES/kvm.sav" --unit GIM
call dump --json --pages "$SAMPLES/kvm-ram.sav"
call dump --json --pages "$SAMPLES/hyperv-ram.sav"
call dump --json --pages "$SAMPLES/kvm.sav"
call mem --json "$SAMPLES/kvm-ram.sav"
call mem --json "$SAMPLES/kvm.sav"
call mem --json "$SAMPLES/kvm.sav" 0x1000
call search --json "$SAMPLES/kvm-ram.sav" text
call search --json "$SAMPLES/kvm.sav" text
call extract --json "$SAMPLES/kvm-ram.sav" --ram -o ram
call extract --json "$SAMPLES/kvm-ram.sav" --elf core
call extract --json "$SAMPLES/kvm.sav" --ram -o none
call set --json -o changed "$SAMPLES/kvm.sav" kvm.wall_clock=0x5000 'kvm.vcpu[1].flags=1'
call convert --json "$SAMPLES/hyperv-4.sav" converted --layout vbox-hyperv-2
call convert --json "$SAMPLES/hyperv-4.sav" converted --layout vbox-hyperv-2 --lossy
call convert --json --dry-run "$SAMPLES/hyperv-1.sav" --to vbox:6.1
call convert --json --dry-run "$SAMPLES/hyperv-1.sav" --to vbox:4.1
call convert --json "$SAMPLES/hyperv-cpum.sav" copied
call convert --json --dry-run "$SAMPLES/hyperv-cpum.sav" --to vbox:5.0
call convert --json "$SAMPLES/old-1.1.sav" renewed --container 2.0
call set --json -o leaves "$SAMPLES/hyperv-cpum.sav" hyperv.features.hints=0x30
call set --json -o other "$SAMPLES/kvm.sav" kvm.nosuch=1
call dump --json "$SAMPLES/kvm.sav" --unit tm
call dump --json "$SAMPLES/kvm.sav" --unit nosuch
call verify --json missing "$SAMPLES/kvm.sav"
call verify --ndjson missing
"$GIMSTATE" check --ndjson -t vbox:7.2 -t bad:1 "$SAMPLES/hyperv-4.sav" missing | while read -r line; do echo "$line" >line-$((lines += 1)).json; done
for line in line-*.json; do document "$line"; done
call check --json -r "$SAMPLES" -t vbox:7.2
for command in "dump --json" "dump --json --all" "info --json" "units --json" "verify --json" "dump --json --unit GIM"; do
	call $command missing
	call $command .
	for size in 0 20 100 300 500 700; do
		head -c $size "$SAMPLES/hyperv-4.sav" >short.sav
		call $command short.sav
	done
done
call get --json short.sav hyperv
call get --json "$SAMPLES/kvm.sav" nosuch
for edit in 's/"unit_version": 1/"unit_version": /' 's/"unit_version"/"version"/' '/"unit_version"/d' 's/"unit_version": 1/"unit_version": "1"/' \
	's/"gimstate": 1/"gimstate": 2/' 's/"unit_version".*/& &/'; do
	sed "$edit" state.json >edited.json
	for command in dump info verify; do call $command --json edited.json; done
	call set --json -o refused "$state" --from edited.json
done
printf 'probes: rdmsr hyperv.guest_os_id\nexpect 1\nexpect ok\n~rdtsc\nexpect interrupts 1 0\n' >good.probe
printf 'rdtsc\nset n 9\nconnect message 1 $n 1\n' >ends.probe
for state in hyperv-4.sav kvm.sav none.sav; do call replay --json --engine core "$SAMPLES/$state"; done
call replay --json --engine core "$SAMPLES/hyperv-4.sav" --probe good.probe --probe good.probe --repeat 2
call replay --json --engine core "$SAMPLES/hyperv-4.sav" --probe ends.probe
call replay --json --engine core "$SAMPLES/hyperv-4.sav" --probe nothing
call replay --json --engine core "$SAMPLES/hyperv-4.sav" --save-after after.json
document after.json
call replay --json --engine core "$SAMPLES/hyperv-4.sav" --save-after after.json
call replay --json --engine core "$SAMPLES/hyperv-4.sav" --save-after after.sav --layout vbox-hyperv-3
call replay --json "$SAMPLES/kvm.sav"
call replay --json --kernel nothing --provider hyperv
call replay --json --kernel "$TOP/README.md" "$SAMPLES/kvm.sav"
call replay --json --resume "$SAMPLES/kvm.sav"
for kernel in "${O:-$TOP/build}"/guests/hello.elf; do [ ! -e "$kernel" ] || call replay --json --kernel "$kernel" --provider hyperv; done
call replay --json --tap "$SAMPLES/kvm.sav"
call dump --json
call nosuch --json
call --json
printf '\377' >name
call dump --json "$(cat name)"
call dump --json "$(printf 'a\033b')"
$python check.py "$TOP/docs/gimstate.schema.json"
