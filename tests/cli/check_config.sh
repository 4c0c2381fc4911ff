# SPDX-License-Identifier: GPL-3.0-or-later
hv=$SAMPLES/hyperv-4.sav
# Severities by the command line.
try check "$hv" -t vbox:7.1
try check "$hv" -t vbox:7.1 --strict
try check "$hv" -t vbox:7.1 --error GIM-LOSS-002
try check "$hv" -t vbox:7.1 --strict --ignore GIM-LOSS-002
# The same by a configuration, which this folder's is without being named.
cat >.gimstate.json <<'END'
{"gimstate": 1, "config": {"targets": ["vbox:7.1"], "strict": true, "error": ["GIM-UNIT-003"], "ignore": ["GIM-LOSS-002"]}}
END
try check "$hv"
try check "$hv" -t vbox:7.2
mv .gimstate.json own.json
try check "$hv" -c own.json
# A baseline accepts what there is now, and nothing else.
cp "$hv" a.sav
try check a.sav -t vbox:5.2 --write-baseline baseline.json
cat baseline.json
try check a.sav -t vbox:5.2 -c baseline.json
"$GIMSTATE" set a.sav 'hyperv.vp[1].sint[3]=0x5' --in-place >/dev/null
try check a.sav -t vbox:5.2 -c baseline.json
try check a.sav -t vbox:5.1 -c baseline.json
try check a.sav -t vbox:5.2 --write-baseline baseline.json
# Fingerprints do not depend on values.
fingerprints() { "$GIMSTATE" check "$1" -t vbox:5.2 --json | grep fingerprint | sort; }
fingerprints a.sav >before
"$GIMSTATE" set a.sav 'hyperv.vp[1].sint[3]=0x6' --in-place >/dev/null
fingerprints a.sav | diff before - && echo same
# Broken ones.
for text in '{' '[]' '{"gimstate": 1}' '{"gimstate": 1, "config": {"target": []}}' '{"gimstate": 1, "config": {"error": ["NO-RULE"]}}' \
	'{"gimstate": 1, "config": {"strict": 1}}' '{"gimstate": 1, "config": {"baseline": [{"state": "a.sav"}]}}' \
	'{"gimstate": 1, "config": {"baseline": [{"rule": "GIM-SINT-001", "why": "x"}]}}' '{"gimstate": 1, "config": {"ignore": "x"}}'; do
	echo "$text" >broken.json
	try check a.sav -t vbox:7.2 -c broken.json
done
try check a.sav -t vbox:7.2 -c nothing.json
