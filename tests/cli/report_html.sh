# SPDX-License-Identifier: GPL-3.0-or-later
# The page of a state in a real browser: the filter, groups by keyboard, dark mode, a phone's width, print; nothing on the console, nothing fetched.
find_browser
"$GIMSTATE" report "$SAMPLES/hyperv-cpum.sav" --html >page.html
try_browser page.html
cat >try.html <<'END'
<script>
const said = [];
const say = (what, value) => said.push(`${what}: ${value}`);
const visible = selector => [...document.querySelectorAll(selector)].filter(each => each.getClientRects().length).length;
const set = (control, change) => { change(control); control.dispatchEvent(new Event("input", {bubbles: true})); };
const all = [...document.querySelectorAll("details.group")];
say("open at first", all.filter(each => each.open).length > 4 && !all.find(each => each.textContent.includes("guest.vcpu[0]")).open);
set(form.elements.name, each => each.value = "SINT[2]");
say("sint[2]", shown.textContent);
set(form.elements.name, each => each.value = "guest.vcpu[1].cr0");
say("by path", shown.textContent + ", " + visible("details.group td.help") + " seen");
set(form.elements.name, each => each.value = "");
say("after it", shown.textContent === "" && !all.find(each => each.textContent.includes("guest.vcpu[0]")).open);
form.elements.all.click();
say("all open", all.every(each => each.open) && form.elements.all.textContent);
form.elements.all.click();
say("all closed", all.every(each => !each.open) && form.elements.all.textContent);
say("links within", [...document.querySelectorAll("a[href^='#']")].every(each => document.getElementById(each.hash.slice(1))));
say("links out", [...document.querySelectorAll("a:not([href^='#'])")].every(each => each.protocol === "https:" && each.rel === "noreferrer"));
say("labels", [...document.querySelectorAll("input")].every(each => each.labels.length === 1));
say("headers", [...document.querySelectorAll("th")].every(each => each.scope));
say("headings", [...document.querySelectorAll("h1, h2")].map(each => each.tagName).join(" "));
say("map", `${document.querySelectorAll("svg.map rect").length} boxes, ${document.querySelector("svg.map").getAttribute("role")}, named by "${document.getElementById("map-title").textContent.replace(/.*\//, "")}"`);
say("boxes within the map", [...document.querySelectorAll("svg.map rect")].every(each => each.x.baseVal.value + each.width.baseVal.value <= 960 && each.width.baseVal.value > 0));
say("language and title", document.documentElement.lang && document.title.replace(/.*\//, ""));
say("fetched", performance.getEntriesByType("resource").filter(each => !each.name.startsWith("data:")).length);
/* Contrast against the ground that shows, as WCAG counts it. */
const light = text => {
	const [r, g, b] = text.match(/[\d.]+/g).map(each => each / 255).map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = each => { for (; each; each = each.parentElement) { const colour = getComputedStyle(each).backgroundColor; if (!/, 0\)$/.test(colour)) return colour; } return "rgb(255, 255, 255)"; };
const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
const texts = [...document.querySelectorAll("h1, dt, dd, th, td, a, small, cite, code, summary, .tag, .sum, button, footer")];
say("contrast", texts.every(each => contrast(getComputedStyle(each).color, ground(each)) >= 4.5) ? "enough" : "too little");
say("contrast in the map", [...document.querySelectorAll("svg.map g")].every(each => !each.querySelector("text") ||
	contrast(getComputedStyle(each.querySelector("text")).fill, getComputedStyle(each.querySelector("rect")).fill) >= 4.5) ? "enough" : "too little");
say("light", light(getComputedStyle(document.body).backgroundColor) > 0.5);
say("wider than the window", document.documentElement.scrollWidth > innerWidth);
const out = document.createElement("pre");
out.id = "said";
out.textContent = said.join("\n");
document.body.append(out);
</script>
END
cat page.html try.html >tried.html
browse tried.html --dump-dom --window-size=1200,900 | result
echo "== dark, on a phone"
browse tried.html --dump-dom --window-size=500,800 --blink-settings=preferredColorScheme=0 | result | grep -E '^(contrast|light|wider)'
echo "== the screenshot is a picture that the browser can show"
cat >shot.py <<'END'
import json, struct, subprocess, sys, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 3, 8, 2, 0, 0, 0)) + \
    chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(15) for _ in range(3)))) + chunk(b"IEND", b"")
pictures = {"bitmap": (0, 4, 2, bytes(range(32))), "png": (1, 5, 3, png)}
state = json.loads(subprocess.run([sys.argv[1], "dump", "--all", "--json", sys.argv[2]], stdout=subprocess.PIPE, check=True).stdout)
kind, width, height, image = pictures[sys.argv[3]]
display = state.setdefault("vbox", {}).setdefault("display", {})
display["screenshot"] = [{"size": len(image) + 8, "type": kind, "width": width, "height": height, "image": image.decode("latin-1")}]
json.dump(state, open("shot.json", "w"))
END
for kind in png bitmap; do
	/usr/bin/python3 shot.py "$GIMSTATE" "$SAMPLES/kvm.sav" $kind
	"$GIMSTATE" report shot.json --html >shot.html
	echo '<script>onload = () => { const each = document.images[0]; said.textContent = `${each.src.slice(0, 15)}: ${each.naturalWidth} x ${each.naturalHeight}, "${each.alt}"`; };</script>' >>shot.html
	echo '<pre id="said"></pre>' >>shot.html
	browse shot.html --dump-dom | result
done
echo "== print"
browse page.html --print-to-pdf="$PWD/page.pdf" >/dev/null
head -c 5 page.pdf
echo
echo "== the map alone"
"$GIMSTATE" report "$SAMPLES/kvm-live.sav" --svg >map.svg
browse map.svg --screenshot="$PWD/map.png" >/dev/null
head -c 4 map.png | tail -c 3
echo
echo "== console"
cat console
