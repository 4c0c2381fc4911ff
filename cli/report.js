"use strict";
// Fields are shown when their path, value or help has the text; groups with one of them open. What is open is what is printed.
const form = document.querySelector(".filter");
const shown = document.querySelector(".shown");
const groups = [...document.querySelectorAll("details.group")].filter(group => group.querySelector("td.help, tr.absent"));
const before = new Map(groups.map(group => [group, group.open]));

function filter() {
	const text = form.elements.name.value.toLowerCase();
	let count = 0;
	for (const group of groups) {
		const name = group.querySelector("summary code").textContent;
		let found = 0;
		for (const row of group.querySelectorAll("tbody tr")) {
			row.hidden = text && !`${name}.${row.textContent}`.toLowerCase().includes(text);
			found += !row.hidden;
		}
		group.hidden = !found;
		group.open = text ? found > 0 : before.get(group);
		count += found;
	}
	shown.textContent = text ? `${count} fields shown` : "";
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", event => event.preventDefault());
form.elements.all.addEventListener("click", () => {
	const close = form.elements.all.textContent === "close all";
	for (const group of document.querySelectorAll("details"))
		group.open = !close;
	form.elements.all.textContent = close ? "open all" : "close all";
});
