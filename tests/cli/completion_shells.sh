# SPDX-License-Identifier: GPL-3.0-or-later
# The completions of zsh and fish, where they are.
command -v fish >/dev/null && command -v zsh >/dev/null || { echo "zsh and fish are not here"; exit 77; }
mkdir bin && ln -s "$GIMSTATE" bin/gimstate
export PATH=$PWD/bin:$PATH HOME=$PWD
cp "$SAMPLES/hyperv-4.sav" a.sav
for line in 'gimstate du' 'gimstate get a.sav hyperv.vp[1].s' 'gimstate set a.sav hyperv.features.hints=reset_msr,rel' 'gimstate dump a.s'; do
	echo "- $line"
	fish --no-config -c "source $TOP/cli/completions/gimstate.fish; complete -C '$line'"
	# What zsh's own functions are told.
	LINE=$line TOP=$TOP zsh -f -c '
		words=(gimstate) LBUFFER=$LINE
		compset() { :; }
		_describe() { echo "zsh: ${@[4,-1]} ${(P)3}"; }
		_files() { echo "zsh: files"; }
		complete_it() { . $TOP/cli/completions/_gimstate; }
		complete_it'
done
