// Another plugin was chosen: its own fields come. Without this, a button does it.
(() => {
  const draft = () => document.getElementById("draft");
  const hideButtons = () => document.querySelectorAll("[data-refresh]").forEach((select) => {
    document.getElementById(select.dataset.refresh).hidden = true;
  });
  document.addEventListener("change", ({ target }) => {
    const button = target.dataset?.refresh && document.getElementById(target.dataset.refresh);
    if (button) target.form.requestSubmit(button);
  });

  // What is gone for good is asked about first.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-sure]");
    if (button && !confirm(button.dataset.sure)) event.preventDefault();
  }, true);

  // The form is replaced as a whole: whoever works with the keyboard goes on where they were.
  let section = "";
  document.addEventListener("htmx:beforeRequest", () => {
    const place = document.activeElement?.closest("section[aria-labelledby]");
    section = place?.getAttribute("aria-labelledby") ?? "";
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (!draft()) return;
    hideButtons();
    const wrong = draft().querySelector("[aria-invalid]");
    if (!wrong && draft().contains(document.activeElement)) return;
    const heading = document.getElementById(section);
    if (heading) heading.tabIndex = -1;
    (wrong ?? heading)?.focus();
  });
  hideButtons();
})();
