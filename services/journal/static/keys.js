// Triage by keyboard: j k move, x ticks, r retries, Enter opens, / searches, Esc closes, ? shows the keys. Never while
// somebody types, and never with a modifier.

const TYPING = 'input:not([type="checkbox"]), textarea, select, [contenteditable]';
const rows = () => [...document.querySelectorAll("#list tr[data-id]")];
const at = () => document.querySelector("#list tr.at") ?? document.activeElement?.closest?.("#list tr[data-id]");

function move(by) {
  const all = rows();
  if (!all.length) return;
  const here = all.indexOf(at());
  const next = all[here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, here + by))];
  for (const row of all) row.classList.toggle("at", row === next);
  next.querySelector("a.open")?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function tick() {
  at()?.querySelector('td.pick input[name="id"]')?.click();
}

function retry() {
  const form = document.getElementById("bulk");
  if (form && !form.hidden && document.querySelector("#list[data-picking]")) return form.requestSubmit();
  at()?.querySelector('button[form="one-retry"]')?.click();
}

function help() {
  document.getElementById("keys")?.showModal();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  x: tick,
  r: retry,
  "/": () => document.getElementById("filter")?.focus(),
  "?": help,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest(TYPING)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  const act = KEYS[event.key];
  if (event.key === "Enter" && at() && !event.target.closest("a, button, summary")) {
    event.preventDefault();
    at().querySelector("a.open")?.click();
  } else if (act) {
    event.preventDefault();
    act();
  }
});
