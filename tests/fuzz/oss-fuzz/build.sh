#!/bin/bash -eu
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds every fuzz target into $OUT with its dictionary and its seeds. The compiler, its flags and the fuzzing engine are OSS-Fuzz's: CC, CFLAGS, LIB_FUZZING_ENGINE. Libraries are
# linked statically, since where the targets run there are none.
targets=(tests/fuzz/fuzz_*.c)
targets=("${targets[@]%.c}")
make -j"$(nproc)" O="$WORK/build" FUZZER=1 FUZZ_ENGINE="$LIB_FUZZING_ENGINE" CC="$CC" CFLAGS="$CFLAGS" CPPFLAGS= \
	LIBS="-Wl,-Bstatic -ljansson -lexpat -ldeflate -lz -Wl,-Bdynamic -pthread -ldl -lm" "${targets[@]/#/$WORK/build/}"
for target in "${targets[@]}"; do
	name=${target#tests/fuzz/}
	cp "$WORK/build/$target" "$OUT/"
	tests/fuzz/dictionary "${name#fuzz_}" >"$OUT/$name.dict"
	[ -s "$OUT/$name.dict" ] || rm "$OUT/$name.dict"
	seeds=(samples/*.sav)
	[ ! -d "tests/fuzz/corpus/${name#fuzz_}" ] || seeds+=("tests/fuzz/corpus/${name#fuzz_}"/*)
	zip -q -j "$OUT/${name}_seed_corpus.zip" "${seeds[@]}"
done
