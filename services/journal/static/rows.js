// Keeps a list fresh without moving it: a changed row changes where it stands, new ones wait behind a button. Paused
// while rows are selected, the pointer is in the list, a menu or dialog is open or somebody types; says so in words.

import { fetched } from "./fetched.js";

const EVERY = 5000;
const AWAY = 15000;
const list = document.getElementById("list");
const table = document.getElementById("table");
const line = document.querySelector("[data-live-line]");
const news = document.getElementById("news");
let waiting = null;

const rows = (root) => new Map([...root.querySelectorAll("tr[data-id]")].map((row) => [row.dataset.id, row]));

function pause() {
  if (table.querySelector("td.pick :checked")) return "selected";
  if (document.querySelector("dialog[open], details.pop[open]")) return "menu";
  if (document.activeElement?.matches("input[type=search], textarea")) return "typing";
  if (table.matches(":hover")) return "pointer";
  return null;
}

function say(name) {
  const text = line.dataset[name ?? "on"];
  if (line.textContent !== text) line.textContent = text;
  line.classList.toggle("paused", Boolean(name));
}

// The rows of the fresh page that are not here, and those here that it has no more.
function compare(fresh) {
  const [mine, theirs] = [rows(table), rows(fresh)];
  const added = [...theirs.keys()].filter((id) => !mine.has(id));
  const gone = [...mine.keys()].filter((id) => !theirs.has(id));
  return { mine, theirs, added, gone };
}

function offer({ added, gone }) {
  const texts = [];
  if (added.length) texts.push(news.dataset.added.replace("#", added.length));
  else if (gone.length) texts.push(news.dataset.gone.replace("#", gone.length));
  const text = texts.join(", ");
  if (news.textContent !== text) news.textContent = text;
  news.hidden = !text;
}

function swapAround(fresh) {
  for (const id of ["counters", "tab-links", "list-count"]) {
    const [old, next] = [document.getElementById(id), fresh.getElementById(id)];
    if (old && next && !old.contains(document.activeElement) && !old.matches(":hover")) old.replaceWith(document.adoptNode(next));
  }
  const next = fresh.getElementById("list");
  for (const name of ["count", "capped", "filter"]) if (next) list.dataset[name] = next.dataset[name];
}

function swapRows({ mine, theirs }) {
  for (const [id, row] of mine) {
    const next = theirs.get(id);
    if (!next || row.contains(document.activeElement) || row.innerHTML === next.innerHTML) continue;
    row.replaceChildren(...document.adoptNode(next.cloneNode(true)).childNodes);
  }
  table.dispatchEvent(new CustomEvent("rows-changed", { bubbles: true }));
}

function showAll(fresh) {
  const next = fresh.getElementById("table");
  if (!next) return location.reload();
  table.replaceChildren(...document.adoptNode(next).childNodes);
  swapAround(fresh);
  waiting = null;
  news.hidden = true;
  table.dispatchEvent(new CustomEvent("rows-changed", { bubbles: true }));
}

async function refresh(all = false) {
  const held = all ? null : pause();
  say(held);
  if (document.hidden && !all) return;
  const fresh = await fetched(location.href);
  if (!fresh) return;
  if (all || !rows(table).size) return showAll(fresh);
  const found = compare(fresh);
  waiting = fresh;
  offer(found);
  const still = pause();
  say(still);
  if (still) return;
  swapRows(found);
  swapAround(fresh);
}

async function loop() {
  let next = EVERY;
  try {
    await refresh();
  } catch {
    say("away");
    next = AWAY;
  }
  setTimeout(loop, next);
}

if (list && table && line) {
  say(null);
  news.addEventListener("click", () => {
    if (waiting) showAll(waiting);
    table.focus();
  });
  document.getElementById("reload").addEventListener("click", (event) => {
    event.preventDefault();
    refresh(true).catch(() => say("away"));
  });
  for (const name of ["pointerenter", "pointerleave", "change"]) table.addEventListener(name, () => say(pause()));
  setTimeout(loop, EVERY);
}
