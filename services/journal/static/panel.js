// A record beside the list it was opened from, under an address of its own. Without it the link leads to its page.

import { fetchRecord, follow, prepare } from "./follow.js";

const panel = document.getElementById("panel");
const list = document.getElementById("list");
const narrow = matchMedia("(max-width: 720px)");
let current = null; // the row's id and where its record is
let asked = null; // what is being fetched

const rows = () => [...list.querySelectorAll("tr[data-id]")];
const rowOf = (id) => rows().find((row) => row.dataset.id === id);
const shown = () => panel.querySelector("#record");
const typing = (at) => at.closest?.('input:not([type="checkbox"]), textarea, select, [contenteditable]');

function addressWith(id) {
  const address = new URL(location.href);
  if (id) address.searchParams.set("open", id);
  else address.searchParams.delete("open");
  return address;
}

function mark() {
  for (const row of rows()) {
    const on = row.dataset.id === current?.id;
    if (on !== row.hasAttribute("aria-current")) row.toggleAttribute("aria-current", on);
    if (on) row.setAttribute("aria-current", "true");
    if (current) row.classList.toggle("at", on); // where the keys of the list go on from
  }
  const place = rows().findIndex((row) => row.dataset.id === current?.id);
  const go = (name) => panel.querySelector(`[data-go="${name}"]`);
  if (!shown()) return;
  go("previous").disabled = place <= 0;
  go("next").disabled = place < 0 || place === rows().length - 1;
}

function aside(open) {
  panel.hidden = !open;
  document.body.classList.toggle("with-panel", open);
  // A full sheet covers the rest, so the rest is out of reach.
  for (const other of document.querySelectorAll("header.top, .tabs, .filters, #list")) {
    other.inert = open && narrow.matches;
  }
}

function put(record, chosen) {
  panel.replaceChildren(document.adoptNode(record));
  for (const button of panel.querySelectorAll("[data-go]")) button.hidden = false;
  prepare(shown(), chosen);
  mark();
}

function complain() {
  const text = document.createElement("p");
  text.className = "problem";
  text.setAttribute("role", "alert");
  text.textContent = panel.dataset.gone;
  panel.replaceChildren(text);
}

async function load(address, { focus = true, ...options } = {}) {
  const chosen = shown()?.dataset.tab;
  asked?.abort();
  asked = new AbortController();
  panel.setAttribute("aria-busy", "true");
  try {
    const { answer, record } = await fetchRecord(address, { signal: asked.signal, ...options });
    if (record) {
      if (answer.redirected && current) current.address = answer.url; // keeps what it says of the run
      put(record, chosen);
    } else if (answer.redirected) return location.assign(answer.url);
    else complain();
    if (focus) panel.querySelector("h1, [role=alert]")?.focus({ preventScroll: true });
  } catch (error) {
    if (error.name === "AbortError") return;
    complain();
  }
  panel.removeAttribute("aria-busy");
}

function open(id, address, write = "pushState") {
  current = { id, address };
  aside(true);
  if (write) history[write]({}, "", addressWith(id));
  mark();
  rowOf(id)?.scrollIntoView({ block: "nearest" });
  return load(address);
}

function close(write = true) {
  if (!current) return;
  const id = current.id;
  current = null;
  asked?.abort();
  aside(false);
  panel.replaceChildren();
  mark();
  if (write) history.pushState({}, "", addressWith(null));
  rowOf(id)?.querySelector("a.open")?.focus();
}

function move(by) {
  const place = rows().findIndex((row) => row.dataset.id === current?.id);
  const next = place < 0 ? undefined : rows()[place + by];
  if (next) open(next.dataset.id, next.querySelector("a.open").href, "replaceState");
}

function fromAddress() {
  const id = new URL(location.href).searchParams.get("open");
  if (!id || !/^\d+$/.test(id)) return close(false);
  if (id === current?.id) return;
  const link = rowOf(id)?.querySelector("a.open");
  open(id, link?.href ?? `/${list.dataset.resource}/${id}${location.search.includes("lang=") ? location.search : ""}`, "");
}

list.addEventListener("click", (event) => {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const row = event.target.closest("tr[data-id]");
  const link = row?.querySelector("a.open");
  const onLink = event.target.closest("a.open");
  if (!link || (!onLink && (event.target.closest("a, button, input, label, form") || String(getSelection())))) return;
  event.preventDefault();
  open(row.dataset.id, link.href, current ? "replaceState" : "pushState");
});

panel.addEventListener("click", (event) => {
  const go = event.target.closest("[data-go]")?.dataset.go;
  if (go === "close") close();
  else if (go === "next") move(1);
  else if (go === "previous") move(-1);
  const copyOf = event.target.closest("a[data-copy-of]");
  if (!copyOf || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  current.address = copyOf.href;
  load(copyOf.href, { focus: false });
});

panel.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  for (const button of form.querySelectorAll("button")) button.disabled = true; // a double click acts once
  load(form.action, { method: "POST", body });
});

// In front of the keys of the list: while a record is open, they move from one to the next.
document.addEventListener(
  "keydown",
  (event) => {
    if (!current || event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
    if (typing(event.target)) return;
    if (document.querySelector("dialog[open], details.pop[open]")) return;
    if (event.key === "Escape") close();
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  true,
);

addEventListener("popstate", fromAddress);
new MutationObserver(mark).observe(list, { childList: true, subtree: true });
follow(shown, () => current?.address, (record) => put(record, shown()?.dataset.tab));
fromAddress();
panel.dataset.ready = "yes";
