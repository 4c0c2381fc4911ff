# SPDX-License-Identifier: GPL-3.0-or-later
# Many states: what is found in folders, what cannot be read and is told, threads, shards, the cache.
mkdir -p tree/a/deep tree/b tree/.hidden
cp "$SAMPLES/hyperv-4.sav" tree/a/one.sav
cp "$SAMPLES/kvm.sav" tree/a/deep/no-ending
gzip -c "$SAMPLES/kvm.sav" >tree/b/packed.gz
cp "$SAMPLES/minimal.sav" tree/.hidden/
"$GIMSTATE" dump "$SAMPLES/hyperv-1.sav" --json >tree/b/state.json
# No states, and not said to be any.
echo text >tree/b/notes.txt
"$GIMSTATE" units "$SAMPLES/hyperv-1.sav" --json >tree/b/units.json
"$GIMSTATE" profile vbox:7.2 >tree/b/profile.json
echo '{"gim": {"provider": "none"}}' >tree/b/any.json
echo '{"gimstate": 1, "gim": {"provider": "none"' >tree/b/cut.json
gzip -c tree/b/notes.txt >tree/b/notes.gz
: >tree/.keep
mkfifo tree/b/pipe
try check -r tree -t vbox:7.2
try check tree -t vbox:7.2
# What is wrong is told and counted, and the rest is done.
: >tree/b/empty
echo broken >tree/b/broken.sav
ln -s .. tree/b/up
ln -s loop tree/b/loop
ln -s nothing tree/b/dangling
ln -s ../a tree/b/seen
ln -s ../a/one.sav tree/b/again.sav
try check -r tree -t vbox:7.2
for threads in 1 2 7; do
	"$GIMSTATE" check -r tree -j $threads -t vbox:7.2 -t vbox:5.0 -t kvm:1 >"threads-$threads" 2>&1
	echo "$threads threads [$?]"
	# Errors are on another stream, whose place among the lines is kept.
	cmp threads-1 threads-$threads
done
# Nothing there at all.
mkdir bare
try check -r bare -t vbox:7.2
try check -r missing -t vbox:7.2
# Shards: each state in one of them, and together all.
mkdir many
for i in $(seq 1 40); do cp "$SAMPLES/kvm.sav" "many/$i.sav"; done
for k in 1 2 3; do
	"$GIMSTATE" check -r many -t vbox:7.2 --shard $k/3 --ndjson >shard-$k.ndjson
	echo "shard $k [$?] $([ "$(wc -l <shard-$k.ndjson)" -gt 5 ] && echo 'has its part')"
done
"$GIMSTATE" merge shard-*.ndjson --json | grep '"state"' | sort >joined
"$GIMSTATE" check -r many -t vbox:7.2 --json | grep '"state"' | sort | cmp - joined && echo "shards are the whole"
for shard in 0/3 4/3 1 a/b 1/0 -1/3 1/2/3; do status check many -r -t vbox:7.2 --shard $shard; done
for jobs in 0 x 257; do status check many -r -t vbox:7.2 --jobs $jobs; done
# The cache gives the same, with other wishes too, and follows what changes.
"$GIMSTATE" check -r tree -t vbox:7.2 -t vbox:5.0 >without 2>&1
for pass in first second; do
	"$GIMSTATE" check -r tree -t vbox:7.2 -t vbox:5.0 --cache cache >with 2>&1
	cmp without with && echo "$pass run with the cache: the same"
done
ls cache | sed 's/-.*//' | sort -u
stamp=$(stat -c %Y%i cache/*/* | sort | cksum)
"$GIMSTATE" check -r tree -t vbox:7.2 -t vbox:5.0 --cache cache >/dev/null 2>&1
[ "$stamp" = "$(stat -c %Y%i cache/*/* | sort | cksum)" ] && echo "nothing is written again"
try check tree/a/one.sav -t vbox:5.0 --cache cache --ignore GIM-VER-001 --ignore GIM-FEAT-002 --ignore GIM-LOSS-002 --ignore GIM-VER-003
poke tree/a/one.sav 300 X
"$GIMSTATE" check tree/a/one.sav -t vbox:7.2 >without
"$GIMSTATE" check tree/a/one.sav -t vbox:7.2 --cache cache | cmp - without && echo "another content"
# A target's content counts, not its name.
"$GIMSTATE" profile tree/a/deep/no-ending >target.json
"$GIMSTATE" check tree/a/deep/no-ending -t target.json --cache cache
sed -i 's|"provider": "kvm"|"provider": "hyperv"|' target.json
"$GIMSTATE" check tree/a/deep/no-ending -t target.json --cache cache | head -n 2
# What is damaged in it counts for nothing.
for file in cache/*/*; do sed -i 's/^end$//; s/GIM-/GOM-/' "$file"; done
"$GIMSTATE" check -r tree -t vbox:7.2 -t vbox:5.0 --cache cache >with 2>&1
"$GIMSTATE" check -r tree -t vbox:7.2 -t vbox:5.0 >without 2>&1
cmp without with && echo "a damaged cache: the same"
try check tree/a/one.sav -t vbox:7.2 --cache tree/b/notes.txt
# A large file is read again only when it changed.
truncate -s 2M large.sav
dd if="$SAMPLES/kvm.sav" of=large.sav conv=notrunc status=none
touch -d '1 hour ago' large.sav
"$GIMSTATE" check large.sav -t vbox:7.2 --cache cache >without
sleep 3.1
for pass in 1 2; do "$GIMSTATE" check large.sav -t vbox:7.2 --cache cache | cmp - without; done
ls -d cache/file-* | wc -l
