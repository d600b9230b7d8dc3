"use strict";
(() => {
  const form = document.getElementById("filters"), list = document.getElementById("cases");
  if (!form || !list) return;
  const cases = [...list.querySelectorAll(".case")], said = document.getElementById("shown");
  form.hidden = false;
  const apply = () => {
    const outcome = form.elements.outcome.value, tag = form.elements.tag ? form.elements.tag.value : "";
    const words = form.elements.words.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const one of cases) {
      const fits = (!outcome || one.dataset.outcome === outcome) && (!tag || JSON.parse(one.dataset.tags).includes(tag)) &&
        (!words.length || words.every((word) => one.textContent.toLocaleLowerCase().includes(word)));
      one.hidden = !fits;
      count += fits;
    }
    said.textContent = `${count} of ${cases.length} cases`;
  };
  const all = (open) => cases.forEach((one) => { if (one.open !== undefined && !one.hidden) one.open = open; });
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  document.getElementById("open").addEventListener("click", () => all(true));
  document.getElementById("close").addEventListener("click", () => all(false));
  apply();
})();
