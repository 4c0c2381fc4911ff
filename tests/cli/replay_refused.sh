# replay where /dev/kvm may not be opened, and where it is another device.
cp "$SAMPLES/kvm.sav" state.sav
[ "$(id -u)" = 0 ] || { echo "SKIP only root can take its own permissions away"; exit 77; }
"$GIMSTATE" replay state.sav --engine kvm >/dev/null 2>reason || { sed 's/^/SKIP /' reason; exit 77; }
unshare -m true 2>/dev/null && command -v setpriv >/dev/null || { echo "SKIP unshare or setpriv cannot be used here"; exit 77; }
chmod 755 "$(dirname "$(dirname "$PWD")")" "$(dirname "$PWD")" . && cp "$GIMSTATE" here
setpriv --reuid 65534 --clear-groups ./here replay state.sav --engine kvm 2>&1; echo "exit $?"
unshare -m sh -c 'mount --bind /dev/null /dev/kvm
	./here replay state.sav --engine kvm; echo "exit $?"
	./here replay state.sav 2>&1 | sed -n "1p;\$p"' 2>&1
