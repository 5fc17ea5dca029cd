// After a bulk run was begun: counts down while it can be undone, then tells how far it is. Without this the words the
// server wrote stand there, with the same button and the same link.

const toast = document.getElementById("toast");
const number = (value) => value.toLocaleString(document.documentElement.lang);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

if (toast?.dataset.run) {
  const line = toast.querySelector("[data-say]");
  const undo = toast.querySelector("[data-undo]");
  let until = toast.dataset.until ? Date.parse(toast.dataset.until) : 0;
  let count = null;
  let timer = 0;

  const say = (text) => {
    if (line.textContent !== text) line.textContent = text;
  };

  function tell(run) {
    const { progress } = run;
    count = progress.total;
    until = run.undo_until ? Date.parse(run.undo_until) : 0;
    if (!until) undo?.remove();
    if (run.code === "undone") say(toast.dataset.undone);
    else if (run.state === "stopped") say(toast.dataset.stopped);
    else if (["done", "cancelled"].includes(run.state)) {
      say(fill(toast.dataset.over, { good: number(progress.succeeded), bad: number(progress.failed) }));
    } else if (!until) {
      say(fill(toast.dataset.underWay, { count: number(progress.settled), total: number(progress.total) }));
    }
    return !["done", "cancelled", "stopped"].includes(run.state);
  }

  async function look() {
    let again = true;
    try {
      const answer = await fetch(`/api/v1/bulk/${toast.dataset.run}`, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (answer.ok) again = tell(await answer.json());
    } catch {
      // The server is away: what was said last stands.
    }
    if (again) setTimeout(look, 1000);
    else clearInterval(timer);
  }

  timer = setInterval(() => {
    if (!until || count === null) return;
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    say(fill(toast.dataset.begins, { count: number(count), seconds }));
  }, 250);

  undo?.addEventListener("submit", async (event) => {
    event.preventDefault();
    undo.querySelector("button").disabled = true;
    try {
      const answer = await fetch(`/api/v1/bulk/${toast.dataset.run}/cancel`, { method: "POST" });
      if (!answer.ok) throw new Error(String(answer.status));
      clearInterval(timer);
      tell(await answer.json());
    } catch {
      undo.submit();
    }
  });

  look();
}
