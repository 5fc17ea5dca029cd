// Fetches the page again every few seconds and swaps the parts that change (`data-live`, with an id), and the members of
// a list of parts (`data-live-list`): changed, new and gone ones. Waits while the tab is hidden; a part in which the
// pointer or the focus is stays as it is. Lists of records have a script of their own, `rows.js`.

import { fetched } from "./fetched.js";

const EVERY = 5000;
const busy = (part) => part.matches(":hover") || part.contains(document.activeElement);

function swap(part, next) {
  if (!busy(part) && next.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(next));
}

function follow(list, next) {
  const wanted = [...next.children];
  for (const part of [...list.children]) {
    if (!wanted.some((one) => one.id === part.id) && !busy(part)) part.remove();
  }
  let before = null;
  for (const one of wanted) {
    const part = document.getElementById(one.id);
    if (part) swap(part, one);
    else if (before) before.after(document.adoptNode(one));
    else list.prepend(document.adoptNode(one));
    before = document.getElementById(one.id);
  }
}

async function refresh() {
  if (document.hidden) return;
  const fresh = await fetched(location.href);
  if (!fresh) return;
  for (const list of document.querySelectorAll("[data-live-list]")) {
    const next = fresh.getElementById(list.id);
    if (next) follow(list, next);
  }
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (next) swap(part, next);
  }
}

async function loop() {
  try {
    await refresh();
  } catch {
    // The server is away: the page stays as it is and tries again.
  }
  setTimeout(loop, EVERY);
}

if (document.querySelector("[data-live], [data-live-list]")) setTimeout(loop, EVERY);
