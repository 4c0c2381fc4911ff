# SPDX-License-Identifier: GPL-3.0-or-later
# The page of a state: what is on it, hostile texts, damaged and odd inputs; and the map alone.
text() { sed '/<style>/,/<\/style>/d; /<script>/,/<\/script>/d; s/<[^>]*>/ /g; s/  */ /g; s/^ //; s/ $//; /^$/d'; }
report() { "$GIMSTATE" report "$@"; echo "[$?]"; }
cp "$SAMPLES"/hyperv-4.sav "$SAMPLES"/kvm.sav "$SAMPLES"/kvm-live.sav "$SAMPLES"/none.sav .
"$GIMSTATE" report hyperv-4.sav --html >page.html
echo "[$?]"
text <page.html | sed -n '1,/^Map of the file/p'
echo "== explained"
grep -o '<code>hypercall</code>.*' page.html | text
grep -o '<li><code>relaxed_timing</code>[^<]*' page.html
grep -oE 'href="https://[^"]*"' page.html | sort | uniq -c | sed 's/^ *[0-9]* //'
echo "== registers"
"$GIMSTATE" report "$SAMPLES/hyperv-cpum.sav" --html | text | sed -n '/^vCPUs$/,/^The rest/p' | sed -n 1,12p
echo "== nothing but the file itself is named as a link"
grep -cE '(src|href)="(http:|//|file:)' page.html
echo "== the map"
"$GIMSTATE" report kvm-live.sav --svg >map.svg
echo "[$?]"
grep -oE '<title[^>]*>[^<]*' map.svg | sed 's/.*>//' | sed -n 1,8p
grep -o 'class="label"[^<]*>pass [^<]*' map.svg | sed 's/.*>//'
command -v xmllint >/dev/null && xmllint --noout map.svg
echo "== from a pipe, an archive, JSON"
cat kvm.sav | "$GIMSTATE" report - --svg | grep -o 'standard input: .*, by size'
gzip -k kvm.sav
"$GIMSTATE" report kvm.sav.gz --html | grep -c '<code>kvm.vcpu\[0\]</code>'
"$GIMSTATE" dump kvm.sav --json >kvm.json
"$GIMSTATE" report kvm.json --html | grep -c '<code>kvm.vcpu\[0\]</code>'
echo "== a name that is markup"
cp kvm.sav '<img src=x onerror=alert(1)>&".sav'
"$GIMSTATE" report '<img src=x onerror=alert(1)>&".sav' --html | grep -c '<img src=x'
echo "== damaged"
head -c 600 hyperv-4.sav >cut.sav
"$GIMSTATE" report cut.sav --html >cut.html
echo "[$?]"
text <cut.html | sed -n '/^error/,$p'
poke hyperv-4.sav 700 X
"$GIMSTATE" report hyperv-4.sav --html >damaged.html
echo "[$?]"
text <damaged.html | sed -n '/^error/,$p' | sed '/^Map of the file/q'
report none.sav --html | grep -E 'There is none|^\['
echo "== no answer"
report nothing.sav --html
report kvm.sav
report kvm.sav --html --svg
echo text >text
report text --html
