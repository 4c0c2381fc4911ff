"use strict";
// Rows are shown when their name has the text and one of their cells a verdict that is chosen; sections follow their row.
const form = document.querySelector(".filter");
const rows = [...document.querySelectorAll("tbody tr")];
const sections = [...document.querySelectorAll("section.cell")];
const shown = document.querySelector(".shown");

function filter() {
	const text = form.elements.name.value.toLowerCase();
	const verdicts = new Set([...form.elements.verdict].filter(box => box.checked).map(box => box.value));
	const notes = form.elements.notes.checked;
	const visible = new Set();
	for (const row of rows) {
		const cells = [...row.querySelectorAll("td")];
		const wanted = row.querySelector("th").textContent.toLowerCase().includes(text) &&
			cells.some(cell => verdicts.has(cell.className));
		row.hidden = !wanted;
		if (wanted)
			visible.add(row.dataset.row);
	}
	for (const item of document.querySelectorAll("li.is-note"))
		item.hidden = !notes;
	for (const section of sections)
		section.hidden = !visible.has(section.dataset.row) || !verdicts.has(section.dataset.verdict) ||
			(section.dataset.only === "notes" && !notes);
	shown.textContent = `${visible.size} of ${rows.length} states shown`;
}

// A link to what the filter hides shows it.
function reveal(event) {
	const link = event.target.closest("td a");
	const section = link && document.querySelector(link.getAttribute("href"));
	if (section && section.hidden) {
		form.elements.notes.checked = true;
		filter();
	}
}

form.hidden = false;
document.addEventListener("click", reveal);
form.addEventListener("input", filter);
form.addEventListener("submit", event => event.preventDefault());
filter();
