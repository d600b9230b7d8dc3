// Ask: an answer as it grows, and the passage that a mark opens.
(() => {
  const turns = document.getElementById("turns");
  const status = document.getElementById("status");
  const question = document.getElementById("question");
  const composer = document.getElementById("composer");
  const ASKED = "asked";

  // A page that is left or an application that ends in the middle: what was asked is not lost.
  const recall = () => JSON.parse(sessionStorage.getItem(ASKED) ?? "null");
  function giveBack() {
    const asked = recall();
    sessionStorage.removeItem(ASKED);
    if (!asked || question.value) return;
    question.value = asked;
    question.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function nearEnd() {
    return innerHeight + scrollY > document.documentElement.scrollHeight - 160;
  }
  function follow(work) {
    const was = nearEnd();
    work();
    if (was) scrollTo({ top: document.documentElement.scrollHeight });
  }

  function grow(answer, { from, blocks }) {
    while (answer.children.length > from) answer.lastElementChild.remove();
    for (const html of blocks) {
      const block = document.createElement("div");
      block.className = "block";
      block.dir = "auto";
      block.innerHTML = html;
      answer.append(block);
    }
  }

  function put(turn, html) {
    const stopping = turn.contains(document.activeElement);
    const made = document.createElement("template");
    made.innerHTML = html.trim();
    const fresh = made.content.firstElementChild;
    turn.replaceWith(fresh);
    htmx.process(fresh);
    page.prepare(fresh);
    if (stopping) question.focus();
  }

  function over() {
    sessionStorage.removeItem(ASKED);
    status.textContent = turns.dataset.there;
    document.body.dispatchEvent(new CustomEvent("answered"));
  }

  function listen(turn) {
    const source = new EventSource(turn.dataset.events);
    status.textContent = turns.dataset.writing;
    source.addEventListener("text", ({ data }) => {
      if (!turn.isConnected) return source.close();
      follow(() => grow(turn.querySelector(".answer"), JSON.parse(data)));
    });
    source.addEventListener("done", ({ data }) => {
      source.close();
      if (!turn.isConnected) return;
      follow(() => put(turn, JSON.parse(data).html));
      over();
    });
    source.onerror = () => {
      // The browser tries again by itself, unless it was told that there is nothing any more.
      if (source.readyState !== EventSource.CLOSED || !turn.isConnected) return;
      const path = turn.dataset.events.replace(/\/events$/, "");
      fetch(path, { headers: { "HX-Request": "true" } })
        .then((reply) => (reply.ok ? reply.text() : Promise.reject(reply.status)))
        .then((html) => put(turn, html))
        .then(over)
        .catch(() => lost(turn));
    };
  }

  function lost(turn) {
    turn.removeAttribute("aria-busy");
    turn.dataset.state = "lost";
    const note = document.createElement("p");
    note.className = "ended";
    note.textContent = turns.dataset.lost;
    turn.querySelector(".writing")?.replaceWith(note);
    giveBack();
  }

  document.addEventListener("htmx:load", ({ detail }) => {
    const root = detail.elt;
    const writing = [...(root.matches("[data-events]") ? [root] : []), ...root.querySelectorAll("[data-events]")];
    writing.forEach(listen);
    root.querySelector("[data-focus]")?.focus();
    if (writing.includes(root)) root.scrollIntoView({ block: "start" });
    if (root.matches(".passage")) {
      root.focus({ preventScroll: true });
      reveal(root);
    }
    const more = root.matches(".feedback") && root.querySelector("details[open], .unsure");
    if (more) reveal(more);
    if (root.matches(".turn") && !writing.length && recall() && root.dataset.state === "lost") giveBack();
  });

  composer.addEventListener("htmx:beforeRequest", () => sessionStorage.setItem(ASKED, JSON.stringify(question.value)));
  composer.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.elt !== composer || !detail.successful) return;
    question.value = "";
    question.focus();
    turns.lastElementChild?.scrollIntoView({ block: "start" });
  });

  // The box of the next question must not hide what has opened.
  const reveal = (element) => page.reveal(element, composer.getBoundingClientRect().top);
  document.addEventListener("toggle", ({ target }) => {
    if (target.open && target.matches(".after details") && target.contains(document.activeElement)) reveal(target);
  }, true);

  // Which of the buttons has its passage open; a second time closes it.
  const openers = "button.cite, button.source";
  function close(place) {
    place.replaceChildren();
    place.closest(".turn").querySelectorAll("[aria-expanded='true']").forEach((each) => each.setAttribute("aria-expanded", "false"));
  }
  document.addEventListener("htmx:beforeRequest", (event) => {
    const button = event.detail.elt;
    if (!button.matches(openers)) return;
    const place = document.getElementById(button.getAttribute("aria-controls"));
    const again = button.getAttribute("aria-expanded") === "true" && place.children.length;
    close(place);
    if (again) event.preventDefault();
    else button.setAttribute("aria-expanded", "true");
  });
  function leave(place) {
    const opener = place.closest(".turn").querySelector("[aria-expanded='true']");
    close(place);
    opener?.focus();
  }
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-close-passage]")) leave(target.closest(".place"));
    const toggle = target.closest(".talks-toggle");
    if (toggle) toggle.setAttribute("aria-expanded", String(toggle.closest(".talks").classList.toggle("open")));
  });
  document.addEventListener("keydown", (event) => {
    const place = event.key === "Escape" && event.target.closest?.(".place");
    if (place) leave(place);
  });

  if (!document.getElementById("conversation").value) giveBack();
})();
