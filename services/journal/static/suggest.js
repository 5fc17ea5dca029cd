// Suggestions under the filter, as a combobox: words, values and how many records each would leave. A pasted column
// becomes one term. Without this the same text is written by hand, and the server understands a pasted list too.

const input = document.getElementById("filter");
const box = document.getElementById("suggestions");
const listbox = document.getElementById("suggested");
const WAIT = 120;
let timer = 0;
let asking = null;
let active = -1;

const options = () => [...listbox.children];

function close() {
  box.hidden = true;
  active = -1;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function mark(index) {
  const all = options();
  active = (index + all.length) % all.length;
  all.forEach((option, n) => option.setAttribute("aria-selected", String(n === active)));
  all[active].scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", all[active].id);
}

// What a value is called on this page, read from the menus beside the filter.
function called(label) {
  const [word, value] = label.split(":");
  const known = value && document.querySelector(`[data-word="${CSS.escape(word)}"] input[value="${CSS.escape(value)}"]`);
  return known?.closest("label").querySelector(".grow").textContent ?? "";
}

function option(item, index) {
  const row = document.createElement("li");
  row.id = `suggested-${index}`;
  row.role = "option";
  row.setAttribute("aria-selected", "false");
  const label = document.createElement("span");
  label.className = "mono";
  label.textContent = item.label;
  const says = document.createElement("span");
  says.className = "dim";
  says.textContent = called(item.label);
  const count = document.createElement("span");
  count.className = "count";
  if (item.count !== null) count.textContent = item.count.toLocaleString(document.documentElement.lang) + (item.capped ? "+" : "");
  row.append(label, says, count);
  row.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    take(item);
  });
  row.item = item;
  return row;
}

function take(item) {
  close();
  input.value = item.text;
  input.setSelectionRange(item.at, item.at);
  ask();
}

async function ask() {
  asking?.abort();
  asking = new AbortController();
  const query = new URLSearchParams({ filter: input.value, at: input.selectionStart ?? input.value.length });
  try {
    const answer = await fetch(`${input.dataset.suggest}?${query}`, { signal: asking.signal });
    if (!answer.ok) return close();
    const { items } = await answer.json();
    if (document.activeElement !== input) return;
    listbox.replaceChildren(...items.map(option));
    active = -1;
    input.removeAttribute("aria-activedescendant");
    box.hidden = !items.length;
    input.setAttribute("aria-expanded", String(!box.hidden));
  } catch {
    // Asked again meanwhile, or the server is away: there are no suggestions then.
  }
}

function soon() {
  active = -1; // what was marked belongs to another text
  input.removeAttribute("aria-activedescendant");
  clearTimeout(timer);
  timer = setTimeout(ask, WAIT);
}

function key(event) {
  if (event.isComposing) return;
  if (event.key === "Escape" && !box.hidden) {
    event.stopPropagation();
    close();
  } else if (["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    if (box.hidden) ask();
    else mark(event.key === "ArrowDown" ? active + 1 : active < 0 ? -1 : active - 1);
  } else if (event.key === "Enter" && active >= 0) {
    event.preventDefault();
    take(options()[active].item);
  }
}

function paste(event) {
  const text = event.clipboardData.getData("text/plain");
  const numbers = text.split(/[\s,;]+/).filter(Boolean);
  if (!/[\n\t]/.test(text.trim()) || numbers.length < 2) return;
  event.preventDefault();
  const term = [...new Set(numbers)].map((one) => (/^[\p{L}\p{N}._/-]+$/u.test(one) && !one.startsWith("-") ? one : JSON.stringify(one)));
  input.setRangeText(term.join("|"), input.selectionStart, input.selectionEnd, "end");
  soon();
}

if (input?.dataset.suggest) {
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": "suggested", "aria-autocomplete": "list" }))
    input.setAttribute(name, value);
  input.addEventListener("input", soon);
  input.addEventListener("focus", soon);
  input.addEventListener("click", soon);
  input.addEventListener("keydown", key);
  input.addEventListener("paste", paste);
  input.addEventListener("blur", close);
}
