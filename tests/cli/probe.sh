# gimstate-probe(5): it names the operations that there are, and its examples do what it shows. UPDATE=1 writes into it what they do.
page=$TOP/docs/gimstate-probe.5
# Of each operation one line, "NAME ARGUMENTS": those of the table, and those of the page.
"$GIMSTATE" help probe | grep '^[a-z]' >table
sed -n '/^\.Sh OPERATIONS/,/^\.Sh EXPECTATIONS/s/^\.It Ic \([a-z]*\)\( Ar "\(.*\)"\)*$/\1 \3/p' "$page" | sed 's/ $//' >page
diff <(sort table) <(sort page) && echo "the page has the $(wc -l <table) operations of the program"
"$GIMSTATE" help probe | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' >builtins
sed -n '/^\.Sh BUILT-IN/,/^\.Sh TRANSCRIPTS/s/^\.It Cm //p' "$page" | diff builtins - && echo "and its $(wc -l <builtins) probes"
ln -s "$SAMPLES" samples && mkdir bin && ln -s "$GIMSTATE" bin/gimstate && PATH=$PWD/bin:$PATH
sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/{/^\.Bd/,/^\.Ed/{/^\.[BE]d/d;p}}' "$page" >shown
# What follows "$ cat FILE" is the file.
awk '/^\$ / {file = $2 == "cat" ? $3 : ""; next} file {print > file}' shown
grep '^\$ ' shown | while read -r _ line; do
	printf '$ %s\n' "$line"
	sh -c "$line" </dev/null 2>&1
done >done
[ -z "$UPDATE" ] || awk -v actual=done '
	/^\.Sh/ {examples = /EXAMPLES/}
	/^\.Ed/ {inside = 0}
	inside && !/^\$ / {next}
	{print}
	examples && /^\.Bd/ {inside = 1}
	inside && /^\$ / {if (!begun++) getline text < actual; while ((getline text < actual) > 0 && text !~ /^\$ /) print text}' "$page" >new && [ -z "$UPDATE" ] || cp new "$page"
diff -u shown done && echo "its examples do what it shows"
grep -c '^\$ gimstate' shown
