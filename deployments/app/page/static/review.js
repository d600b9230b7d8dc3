// An item under review: keys, what is typed kept on the server, and the item kept in hand.
(() => {
  const form = document.getElementById("judge");
  if (!form) return;
  const told = document.getElementById("draft");
  const began = performance.now();
  const PAUSE = 700, RENEW = 60_000, AGAIN = 5_000;
  let timer = 0, sending = false, dirty = false, gone = false, unsent = false;

  function tell(name) {
    told.textContent = form.dataset[name];
    told.classList.toggle("lost", name === "lost" || name === "failed");
  }

  async function save() {
    clearTimeout(timer);
    if (gone) return;
    if (sending) { dirty = true; return; }
    sending = true;
    dirty = unsent = false;
    try {
      const answer = await fetch(form.dataset.draftUrl, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (!answer.ok) throw new Error(answer.statusText);
      tell((await answer.json()).held ? "saved" : "lost");
    } catch {
      unsent = true;
      if (!gone) { tell("failed"); timer = setTimeout(save, AGAIN); }
    }
    sending = false;
    if (dirty) save();
  }

  form.addEventListener("input", () => {
    unsent = true;
    tell("saving");
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  });
  // while somebody looks at it, it stays in their hand
  setInterval(() => { if (!document.hidden && !form.querySelector('[name="adjudicates"]')) save(); }, RENEW);
  form.addEventListener("submit", (event) => {
    if (gone) { event.preventDefault(); return; }
    gone = true;
    clearTimeout(timer);
    form.elements.seconds.value = Math.round((performance.now() - began) / 1000);
  });
  // whoever leaves at once has typed it all the same
  window.addEventListener("pagehide", () => {
    if (unsent && !gone) navigator.sendBeacon(form.dataset.draftUrl, new URLSearchParams(new FormData(form)));
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) gone = false; });

  const boxes = [...form.querySelectorAll('.passages input[type="checkbox"]')];
  function step(by) {
    if (!boxes.length) return;
    const at = boxes.indexOf(document.activeElement);
    const next = boxes[Math.min(boxes.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : boxes.length - 1) : at + by))];
    next.closest(".passage").querySelector("details").open = true;
    next.focus();
  }
  for (const take of document.querySelectorAll("[data-take]")) {
    take.hidden = false;
    take.addEventListener("click", () => {
      form.elements.correction.value = take.dataset.take;
      form.elements.correction.focus();
      form.dispatchEvent(new Event("input"));
    });
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("textarea, select, input:not([type=checkbox])");
    if (event.key === "Escape" && typing) { event.target.blur(); return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const key = event.key.toLowerCase();
    if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
    else if (key === "c") document.getElementById("correction").focus();
    else {
      const button = form.querySelector(`[data-key="${CSS.escape(key)}"]`);
      if (!button) return;
      button.click();
    }
    event.preventDefault();
  });
})();
