// Compare: the sides of the form, and answers as they are written.
(() => {
  const form = document.getElementById("compare-form");
  const results = document.getElementById("results");
  const said = document.getElementById("compare-said");
  const known = document.getElementById("known-prompts");
  let source = null;
  let following = "";

  // The sides: two to four, each with a prompt, a model and, for editors, its texts.
  const sides = () => [...form.querySelectorAll("[data-side]")];
  const add = form.querySelector("[data-add]");
  function show(side, there) {
    side.hidden = !there;
    side.disabled = !there;
    add.hidden = sides().every((each) => !each.hidden);
  }
  function edit(side, again = false) {
    const button = side.querySelector("[data-edit]");
    const place = side.querySelector(".draft");
    const open = again || button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(open));
    if (!open) {
      place.replaceChildren();
      return;
    }
    const prompt = encodeURIComponent(side.querySelector("[data-prompts]").value);
    const focus = () => place.querySelector("textarea")?.focus();
    htmx.ajax("GET", `/compare/draft?side=${side.dataset.side}&prompt=${prompt}`, { target: place, swap: "innerHTML" }).then(focus);
  }
  form.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    const side = button.closest("[data-side]");
    if (button.dataset.edit !== undefined) edit(side);
    if (button.dataset.remove !== undefined) {
      show(side, false);
      add.focus();
    }
    if (button.dataset.add !== undefined) {
      const next = sides().find((each) => each.hidden);
      show(next, true);
      next.querySelector("select").focus();
    }
  });
  form.addEventListener("htmx:beforeRequest", () => document.getElementById("mistakes").replaceChildren());
  form.addEventListener("change", ({ target }) => {
    const side = target.closest("[data-side]");
    const button = side?.querySelector("[data-edit]");
    if (target.matches("[data-prompts]") && button?.getAttribute("aria-expanded") === "true") edit(side, true);
  });

  // Prompts of the registry come after the page: nobody waits for them.
  function offer() {
    for (const select of form.querySelectorAll("[data-prompts]")) {
      const chosen = select.value;
      const own = select.options[0];
      select.replaceChildren(own, ...[...known.options].map((each) => each.cloneNode(true)));
      if (chosen && ![...select.options].some((each) => each.value === chosen)) select.add(new Option(chosen, chosen));
      select.value = chosen;
    }
    const state = document.getElementById("prompts-state");
    state.hidden = reached;
    state.textContent = state.dataset.failed;
    reached = true;
  }
  let reached = true;
  document.addEventListener("compare-no-prompts", () => { reached = false; });
  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    if (detail.target === known || detail.elt === known) offer();
    if (detail.elt.matches?.(".row")) detail.elt.focus(); // the button that was pressed is gone
    follow();
  });

  // The form fills the screen: whoever begins a comparison is led to its first answers.
  let begun = false;
  form.addEventListener("htmx:afterRequest", ({ detail }) => {
    begun = detail.elt === form && detail.successful;
    if (!begun) return;
    const wrong = document.getElementById("mistakes");
    page.reveal(wrong.children.length ? wrong : results);
  });
  function look(row) {
    if (begun && !row) page.reveal(results.querySelector('[data-row="0"]'));
  }

  // Answers: all that was told is told again after a reload, then what comes.
  const part = (row, selector) => results.querySelector(`[data-row="${row}"] ${selector}`);
  function put(place, html, how = "innerHTML") {
    if (!place) return;
    const parsed = document.createElement("template");
    parsed.innerHTML = html;
    const nodes = [...parsed.content.children];
    if (how === "append") place.append(parsed.content);
    else place.replaceChildren(parsed.content);
    for (const node of nodes) {
      htmx.process(node);
      page.prepare(node);
    }
  }
  function take(told) {
    const progress = results.querySelector(".progress");
    if (told.progress && progress) progress.outerHTML = told.progress;
    if (told.kind === "row") {
      put(results.querySelector("[data-rows]"), told.html, "append");
      look(told.row);
    }
    if (told.kind === "shown") put(part(told.row, "[data-given]"), told.html);
    if (told.kind === "piece") part(told.row, `[data-place="${told.place}"] [data-text]`)?.append(told.text);
    if (told.kind === "end") {
      put(part(told.row, `[data-place="${told.place}"]`), told.html);
      said.textContent = `${part(told.row, `[data-place="${told.place}"] .letter`)?.textContent ?? ""} ${said.dataset.ended}`;
    }
    if (told.kind === "ready") {
      put(part(told.row, "[data-verdict]"), told.html);
      look(told.row);
    }
    if (told.kind === "over") {
      said.textContent = said.dataset.over;
      put(results.querySelector(".state"), told.html);
      results.querySelectorAll(".waiting").forEach((each) => each.remove());
      end();
    }
  }
  function end() {
    source?.close();
    source = null;
  }
  function follow() {
    const trial = results.querySelector("[data-trial]")?.dataset.trial ?? "";
    if (trial === following) return;
    following = trial;
    end();
    if (!trial) return;
    source = new EventSource(`/compare/events?trial=${trial}`);
    source.onmessage = ({ data }) => {
      if (data === "[DONE]") again();
      else {
        const told = JSON.parse(data);
        if (told.error) again();
        else take(told);
      }
    };
    source.onerror = () => {
      end();
      setTimeout(again, 2000);
    };
  }
  // A stream that ended before its trial: from the beginning once more.
  function again() {
    end();
    following = "";
    htmx.ajax("GET", "/compare/results", { target: results, swap: "innerHTML" });
  }

  document.addEventListener("DOMContentLoaded", follow);
  if (document.readyState !== "loading") follow();
  show(sides()[0], true);
})();
