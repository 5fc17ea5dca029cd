// Keeps the number of open incidents in the head of every page true. Its place is kept, so nothing moves.

const EVERY = 10000;
const badge = document.getElementById("open-incidents");

async function look() {
  if (document.hidden) return;
  const answer = await fetch("/api/v1/incidents/count", { cache: "no-store" });
  if (!answer.ok) return;
  const { error, warning } = await answer.json();
  const count = error + warning;
  badge.classList.toggle("none", count === 0);
  badge.classList.toggle("error", error > 0);
  badge.querySelector("use").setAttribute("href", error > 0 ? "#i-failed" : "#i-warning");
  badge.querySelector("[data-count]").textContent = count.toLocaleString(document.documentElement.lang);
  badge.querySelector(".words").textContent = count === 1 ? badge.dataset.one : badge.dataset.many;
}

async function loop() {
  try {
    await look();
  } catch {
    // The server is away: the number stays and is asked for again.
  }
  setTimeout(loop, EVERY);
}

if (badge) setTimeout(loop, EVERY);
