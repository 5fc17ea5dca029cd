// Fetches the page again every few seconds and swaps the parts that change (`data-live`, with an id). Waits while the tab
// is hidden; a part in which the pointer or the focus is stays as it is. Lists have a script of their own, `rows.js`.

import { fetched } from "./fetched.js";

const EVERY = 5000;
const busy = (part) => part.matches(":hover") || part.contains(document.activeElement);

async function refresh() {
  if (document.hidden) return;
  const fresh = await fetched(location.href);
  if (!fresh) return;
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (next && !busy(part) && next.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(next));
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

if (document.querySelector("[data-live]")) setTimeout(loop, EVERY);
