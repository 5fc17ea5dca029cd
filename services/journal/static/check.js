// Checks an edited body while it is written, by the page's own answer to its button. Without it the button does.

const form = document.getElementById("edit");
const PAUSE = 500; // after the last key
let timer, asked = 0;

async function check() {
  const mine = ++asked;
  const answer = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (!answer.ok || mine !== asked) return; // a newer question is under way
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("verdict");
  if (fresh) document.getElementById("verdict").replaceChildren(...fresh.childNodes);
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(() => check().catch(() => {}), PAUSE);
}

form?.addEventListener("input", soon);
// Written before this module was there, or kept by the browser over a reload.
if (form && [...form.querySelectorAll("textarea")].some((text) => text.value !== text.defaultValue)) soon();
