// Keeps what is shown of a record up to date: by itself, sooner while it is on its way, and by its button.

import { copy } from "./copy.js";
import { swap } from "./swap.js";
import { tabs } from "./tabs.js";

const MOVING = 3000;
const RESTING = 15000;

export async function fetchRecord(address, options = {}) {
  const answer = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store", ...options });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return { answer, page, record: page.getElementById("record") };
}

export function prepare(root, chosen) {
  tabs(root, chosen);
  copy(root);
}

// Follows the record in `root()` until that is null; `anew(record)` shows one that has other parts than before.
export function follow(root, address, anew) {
  let timer;

  async function once() {
    const shown = root();
    if (!shown) return;
    try {
      const { answer, record } = await fetchRecord(address());
      if (root() !== shown || !answer.ok || !record) return;
      if (swap(shown, record)) prepare(shown, shown.dataset.tab);
      else anew(record);
    } catch {
      // The server is away: what is shown stays, and is tried again.
    }
  }

  async function loop() {
    if (!document.hidden) await once();
    timer = setTimeout(loop, root()?.dataset.moving === "yes" ? MOVING : RESTING);
  }

  timer = setTimeout(loop, MOVING);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-reload]");
    if (!button || !root()?.contains(button)) return;
    event.preventDefault();
    clearTimeout(timer);
    once().then(() => (timer = setTimeout(loop, RESTING)));
  });
}
