# SPDX-License-Identifier: GPL-3.0-or-later
# SARIF and JUnit are what their schemas say; NDJSON is in json.sh.
python=/usr/bin/python3
$python -c 'import jsonschema' 2>/dev/null || { echo "python3-jsonschema is not here"; exit 77; }
command -v xmllint >/dev/null || { echo "xmllint (libxml2-utils) is not here"; exit 77; }
mkdir states
cp "$SAMPLES"/*.sav states
: >states/empty.sav
head -c 400 "$SAMPLES/kvm.sav" >$'states/a <b> & "c"\x01\xff.sav'
cat >sarif.py <<'END'
import json, sys, jsonschema
log = json.load(open(sys.argv[2]))
jsonschema.Draft4Validator(json.load(open(sys.argv[1]))).validate(log)
run = log["runs"][0]
rules = run["tool"]["driver"]["rules"]
assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
assert len({rule["id"] for rule in rules}) == len(rules)
assert all(rule["help"]["markdown"] and rule["help"]["text"] for rule in rules)
assert any(result["level"] == level for result in run["results"] for level in ["error"])
print(sorted({result["partialFingerprints"]["gimstateFinding/v1"] for result in run["results"]}) != [], run["invocations"][0]["executionSuccessful"])
END
targets="-t vbox:7.2 -t vbox:5.0 -t bad:1"
# shellcheck disable=SC2086
"$GIMSTATE" check -r states $targets --sarif >states.sarif
$python sarif.py "$TOP/tests/schemas/sarif-2.1.0-rtm.5.json" states.sarif
# Fingerprints stay when values and other files change, and differ between places.
prints() { "$GIMSTATE" check "$@" --sarif | grep '"gimstateFinding/v1"' | sort; }
prints states/hyperv-4.sav -t vbox:5.0 >before
"$GIMSTATE" set states/hyperv-4.sav hyperv.hypercall=0x12001 --in-place >/dev/null
prints states/hyperv-4.sav states/kvm.sav -t vbox:5.0 >after
comm -23 before after | grep -c .
# shellcheck disable=SC2086
"$GIMSTATE" check -r states $targets --junit >states.xml
xmllint --noout --schema "$TOP/tests/schemas/junit.xsd" states.xml
"$GIMSTATE" check states/kvm.sav -t vbox:7.2 --junit | xmllint --noout --schema "$TOP/tests/schemas/junit.xsd" -
echo '@0 rdmsr 0x4b564d01' >one.probe
"$GIMSTATE" replay states/kvm.sav --engine core --junit | xmllint --noout --schema "$TOP/tests/schemas/junit.xsd" -
