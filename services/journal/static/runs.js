// A run's page fetches itself every second while the run moves, and swaps what changed.

const EVERY = 1000;

async function refresh() {
  const part = document.getElementById("run");
  if (!part?.hasAttribute("data-moving")) return false;
  if (document.hidden || part.querySelector("button:focus")) return true;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (answer.redirected) return location.reload();
  if (!answer.ok) return true;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("run");
  if (fresh && fresh.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(fresh));
  return true;
}

async function loop() {
  let again = true;
  try {
    again = await refresh();
  } catch {
    // The server is away: the page stays as it is and tries again.
  }
  if (again) setTimeout(loop, EVERY);
}

setTimeout(loop, EVERY);
