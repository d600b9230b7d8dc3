// What every tab needs: numbers and dates by locale, the menu, notices, and what was typed kept over a reload.
(() => {
  const locale = document.documentElement.lang;
  const moments = {
    moment: { dateStyle: "medium", timeStyle: "short" },
    date: { dateStyle: "medium" },
    time: { timeStyle: "short" },
  };

  function show(element) {
    const style = element.dataset.show;
    const digits = Number(element.dataset.digits ?? 0);
    const fraction = { minimumFractionDigits: 0, maximumFractionDigits: digits };
    if (element.dateTime) {
      const moment = new Date(element.dateTime);
      element.textContent = new Intl.DateTimeFormat(locale, moments[style]).format(moment);
      element.title = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" }).format(moment);
    } else if (style === "usd") {
      const value = Number(element.value);
      const small = value && Math.abs(value) < 0.01 ? { maximumSignificantDigits: 2 } : {};
      const money = { style: "currency", currency: "USD", ...small };
      element.textContent = new Intl.NumberFormat(locale, money).format(value);
    } else {
      const kind = style === "percent" ? { style } : {};
      element.textContent = new Intl.NumberFormat(locale, { ...kind, ...fraction }).format(Number(element.value));
    }
    delete element.dataset.show;
  }

  // Drafts: `data-draft="name"` on a field keeps what is typed there until its form was taken.
  const key = (field) => `draft:${field.dataset.draft}`;
  function restore(field) {
    const held = sessionStorage.getItem(key(field));
    if (held && !field.value) {
      field.value = held;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  function prepare(root) {
    const all = (selector) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
    all("[data-show]").forEach(show);
    all("[data-draft]").forEach(restore);
  }

  document.addEventListener("input", ({ target }) => {
    if (target.dataset?.draft) sessionStorage.setItem(key(target), target.value);
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest?.("details.menu[open]") ?? document.querySelector("details.menu[open]");
    if (event.key === "Escape" && menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    // Enter sends, Shift+Enter begins a line; not while an input method composes a word.
    const sends = event.target.closest?.("textarea[data-enter]");
    if (sends && event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
      event.preventDefault();
      sends.form.requestSubmit();
    }
  });
  document.addEventListener("click", ({ target }) => {
    const menu = document.querySelector("details.menu[open]");
    if (menu && !menu.contains(target)) menu.open = false;
    if (target.closest("[data-dismiss]")) document.getElementById("notice").replaceChildren();
  });

  function notice(text) {
    const place = document.getElementById("notice");
    const box = document.createElement("div");
    const words = document.createElement("p");
    const close = document.createElement("button");
    box.className = "notice";
    words.textContent = text;
    close.type = "button";
    close.className = "quiet";
    close.dataset.dismiss = "";
    close.textContent = place.dataset.close;
    box.append(words, close);
    place.replaceChildren(box);
  }
  const offline = () => notice(document.getElementById("notice").dataset.offline);
  document.addEventListener("htmx:sendError", offline);
  document.addEventListener("htmx:timeout", offline);
  document.addEventListener("htmx:load", ({ detail }) => prepare(detail.elt));
  document.addEventListener("htmx:beforeRequest", () => document.getElementById("notice").replaceChildren());
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.successful) return;
    detail.elt.querySelectorAll?.("[data-draft]").forEach((field) => sessionStorage.removeItem(key(field)));
  });

  // What has opened is scrolled into view, between the head of the page and what is fixed at its foot.
  function reveal(element, foot = innerHeight) {
    const head = document.querySelector("body > header")?.getBoundingClientRect().bottom ?? 0;
    const { top, bottom } = element.getBoundingClientRect();
    const above = top - Math.max(0, head) - 12;
    const below = bottom + 12 - foot;
    if (above < 0) scrollBy({ top: above });
    else if (below > 0) scrollBy({ top: Math.min(above, below) });
  }

  // on a narrow screen the open tab may lie beyond the edge
  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

  window.page = { notice, offline, prepare, reveal };
  prepare(document);
})();
