# SPDX-License-Identifier: GPL-3.0-or-later
# The HTML page in a real browser: the matrix, the filter by keyboard-reachable controls, links, dark mode, print; nothing on the console, nothing fetched.
find_browser
mkdir states
for state in hyperv-4 kvm none; do cp "$SAMPLES/$state.sav" states; done
cp "$SAMPLES/kvm.sav" 'states/<img src=x onerror=alert(1)>&amp;.sav'
: >states/empty.sav
"$GIMSTATE" check -r states -t vbox:7.2 -t vbox:5.2 -t bad:1 --html >page.html
try_browser page.html
# What is tried stands in a copy, behind the page's own script.
cat >try.html <<'END'
<script>
const said = [];
const say = (what, value) => said.push(`${what}: ${value}`);
const visible = selector => [...document.querySelectorAll(selector)].filter(each => each.getClientRects().length).length;
const set = (control, change) => { change(control); control.dispatchEvent(new Event("input", {bubbles: true})); };
const state = () => `${visible("tbody tr")} rows, ${visible("section.cell")} sections, ${visible("li.is-note")} notes, "${shown.textContent}"`;
say("matrix", `${document.querySelectorAll("tbody tr").length} x ${document.querySelectorAll("thead th").length - 1}`);
say("first", state());
set(form.elements.name, each => each.value = "KVM");
say("name", state());
set(form.elements.name, each => each.value = "");
for (const box of form.elements.verdict)
	set(box, each => each.checked = each.value === "refused");
say("refused", state());
for (const box of form.elements.verdict)
	set(box, each => each.checked = true);
set(form.elements.notes, each => each.checked = true);
say("notes", state());
set(form.elements.notes, each => each.checked = false);
document.querySelector("td.fits a").click();
say("a link to notes", state());
say("links", [...document.querySelectorAll("a[href^='#']")].every(each => each.hash === "#top" || document.getElementById(each.hash.slice(1))));
say("labels", [...document.querySelectorAll("input")].every(each => each.labels.length === 1));
say("headers", [...document.querySelectorAll("th")].every(each => each.scope) && !!document.querySelector("caption"));
say("language and title", document.documentElement.lang && document.title);
say("injected", document.querySelectorAll("img, iframe, object, link:not([rel=icon])").length);
say("fetched", performance.getEntriesByType("resource").filter(each => !each.name.startsWith("data:")).length);
/* Contrast of text in cells and tags against their ground, as WCAG counts it. */
const light = text => {
	const [r, g, b] = text.match(/[\d.]+/g).map(each => each / 255).map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = each => {
	const [a, b] = [getComputedStyle(each).color, getComputedStyle(each).backgroundColor].map(light).sort();
	return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
};
say("contrast", [...document.querySelectorAll("td, .tag, body")].every(each => contrast(each) >= 4.5) ? "enough" : "too little");
say("ground", light(getComputedStyle(document.body).backgroundColor) > 0.5 ? "light" : "dark");
say("wider than the window", document.documentElement.scrollWidth > innerWidth);
const out = document.createElement("pre");
out.id = "said";
out.textContent = said.join("\n");
document.body.append(out);
</script>
END
cat page.html try.html >tried.html
browse tried.html --dump-dom | result
echo "== dark and narrow"
browse tried.html --dump-dom --window-size=400,800 --blink-settings=preferredColorScheme=0 | result | grep -E '^(contrast|ground|wider)'
echo "== print"
browse page.html --print-to-pdf="$PWD/page.pdf" >/dev/null
head -c 5 page.pdf
echo
echo "== console"
cat console
# That the console is heard at all.
echo '<script>nonsense()</script>' >>tried.html
browse tried.html --dump-dom >/dev/null
grep -c 'nonsense is not defined' console
