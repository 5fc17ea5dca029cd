// Shows a page of an action as a dialog over the list: what its link or form would have opened. Any answer that is not
// such a page is gone to as usual, and without this everything is a page.

const PART = "dialog";

function wrap(part, opener) {
  const over = document.createElement("dialog");
  over.className = "over";
  over.append(document.adoptNode(part));
  const head = over.querySelector("h1");
  head.id = "over-title";
  over.setAttribute("aria-labelledby", head.id);
  document.body.append(over);
  over.addEventListener("close", () => {
    over.remove();
    opener?.focus();
  });
  over.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]") || event.target === over) {
      event.preventDefault();
      over.close();
    }
  });
  over.showModal();
  over.dispatchEvent(new CustomEvent("shown", { bubbles: true }));
}

async function open(address, opener) {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.getElementById(PART);
    if (answer.redirected || !part) throw new Error("no such page");
    wrap(part, opener);
  } catch {
    location.assign(address);
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.getAttribute("id") !== "bulk") return; // `form.id` is the ticked boxes, which bear that name
  event.preventDefault();
  const address = new URL(event.submitter?.hasAttribute("formaction") ? event.submitter.formAction : form.action, location.href);
  for (const [name, value] of new FormData(form)) if (!(name === "id" && form.elements.of.value === "all")) address.searchParams.append(name, value);
  open(address, event.submitter);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-over]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(link.href, link);
});
