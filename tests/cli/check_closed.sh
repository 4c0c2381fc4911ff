# SPDX-License-Identifier: GPL-3.0-or-later
# Files and folders that may not be read are told and counted, and the rest is done. Root may read everything, so it becomes nobody.
as=
if [ "$(id -u)" = 0 ]; then as="setpriv --reuid=65534 --clear-groups"; fi
mkdir -p tree/closed
cp "$SAMPLES/kvm.sav" tree/good.sav
cp "$SAMPLES/kvm.sav" tree/closed.sav
cp "$GIMSTATE" own
for folder in . .. ../..; do chmod a+rx "$folder"; done
chmod 0 tree/closed.sav tree/closed
$as test -x "$PWD/own" && $as test -r "$PWD/tree/good.sav" || { echo "nobody may not read the scratch folder"; exit 77; }
$as "$PWD/own" check -r tree -t vbox:7.2 2>&1
echo "[$?]"
chmod a-w .
$as "$PWD/own" check -r tree -t vbox:7.2 --cache cache 2>&1
echo "[$?]"
chmod u+w .
chmod 755 tree/closed
