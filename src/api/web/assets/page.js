// Helps where a browser runs scripts; nothing depends on it.
"use strict";

// Buttons that copy a handle.
for (const button of document.querySelectorAll("button.copy")) {
  const from = document.getElementById(button.dataset.copies);
  if (!from || !navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(from.textContent);
    button.textContent = "Copied";
  });
}

// A choice in a list takes effect at once; without script there is the button.
for (const select of document.querySelectorAll("form.bar select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// On a small screen the list comes before what narrows it down.
if (matchMedia("(max-width: 50rem)").matches) {
  for (const facets of document.querySelectorAll("details.facets")) facets.open = false;
}

// "/" goes to the search.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  document.getElementById("find")?.focus();
});
