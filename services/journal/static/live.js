// Fetches the page again every few seconds and swaps the parts that change. Waits while the tab is hidden, the pointer
// or the focus is in the list, or the reader is elsewhere than on the first page. Without it everything works by links.

const EVERY = 5000;
const parts = [...document.querySelectorAll("[data-live]")];
const line = document.querySelector("[data-live-line]");

const busy = (part) => part.matches(":hover") || part.contains(document.activeElement);

function say(paused) {
  const text = paused ? line?.dataset.paused : line?.dataset.on;
  if (line && line.textContent !== text) line.textContent = text;
}

async function refresh() {
  const held = parts.some((part) => document.contains(part) && busy(part) && part.dataset.live === "list");
  say(held);
  if (document.hidden || held) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (answer.redirected) return location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (next && !busy(part) && next.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(next));
  }
  parts.splice(0, parts.length, ...document.querySelectorAll("[data-live]"));
}

async function loop() {
  try {
    await refresh();
  } catch {
    // The server is away: the page stays as it is and tries again.
  }
  setTimeout(loop, EVERY);
}

if (parts.length) setTimeout(loop, EVERY);
