# SPDX-License-Identifier: GPL-3.0-or-later
# Every form of the report: what it says, also of names that are markup in it, and that reports can be joined.
nasty=$'a <b> & "c" | `d` *e* #f\x01\xff.sav'
mkdir states
cp "$SAMPLES/hyperv-4.sav" states/hv.sav
cp "$SAMPLES/kvm.sav" "states/$nasty"
head -c 300 "$SAMPLES/kvm.sav" >states/cut.sav
: >states/empty.sav
targets="-t vbox:7.2 -t vbox:5.2 -t bad:1"
# shellcheck disable=SC2086
for form in tap junit markdown ndjson; do try check -r states $targets --$form; done
# A byte that is not UTF-8 becomes a character in JSON, so it is left out where bytes are compared.
mv "states/$nasty" "states/${nasty//$'\xff'/}"
# shellcheck disable=SC2086
for form in json ndjson sarif junit markdown html tap; do
	"$GIMSTATE" check -r states $targets --$form >"$form"
	echo "$form [$?] $(grep -c . "$form" | sed 's/^0$/nothing/; s/^[0-9]*$/something/')"
done
# Joined reports say what a single run says, in every form.
for from in json ndjson; do
	for form in json ndjson sarif junit markdown html tap; do
		"$GIMSTATE" merge "$from" --$form | cmp - "$form" && echo "$from as $form: the same"
	done
done
# A baseline's findings are there, and count for nothing.
"$GIMSTATE" check states/hv.sav -t vbox:5.2 --write-baseline accepted.json >/dev/null
try check states/hv.sav -t vbox:5.2 --config accepted.json --markdown
try check states/hv.sav -t vbox:5.2 --config accepted.json --sarif >suppressed
grep -c '"kind": "external"' suppressed
try check states/hv.sav -t vbox:7.2 --strict --tap
# Reports of several hosts; a cut one, and what is none.
mkdir hosts
"$GIMSTATE" check states/hv.sav -t vbox:7.2 --ndjson >hosts/web1.ndjson
"$GIMSTATE" check states/hv.sav -t vbox:5.2 --ndjson >hosts/web2.ndjson
try merge --origin hosts/web1.ndjson hosts/web2.ndjson
"$GIMSTATE" check states/hv.sav -t vbox:7.2 -t vbox:5.2 --ndjson >whole.ndjson
head -n 1 whole.ndjson >cut.ndjson
try merge cut.ndjson
echo '{"gimstate": 1, "state": "x"}' >wrong.ndjson
: >none.ndjson
try merge hosts/web1.ndjson wrong.ndjson none.ndjson nothing.ndjson states/hv.sav
# A rule that another version has.
sed 's/"GIM-LOSS-002"/"GIM-NEW-999"/' hosts/web1.ndjson >newer.ndjson
try merge newer.ndjson
try check states/hv.sav -t vbox:7.2 --json --tap
try merge cut.ndjson --html --sarif
# A name must not be a directive.
cp "$SAMPLES/kvm.sav" 'x #Skip y # TODO z #2.sav'
try check 'x #Skip y # TODO z #2.sav' -t vbox:7.2 --tap
# What is set aside needs a folder; forms that print as they go do not.
for form in junit html markdown json; do
	TMPDIR=nowhere "$GIMSTATE" check states/hv.sav -t vbox:7.2 --$form >aside 2>&1
	echo "$form [$?] $(grep -c . aside) lines, $(grep -o 'cannot make a file in nowhere.*' aside)"
done
