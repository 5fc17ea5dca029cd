// Fetches what takes a moment to count, once the rest of the page is there. Without it a link leads to the same.

for (const part of document.querySelectorAll("[data-load]")) {
  fetch(part.dataset.load, { headers: { Accept: "text/html" } })
    .then((answer) => (answer.ok ? answer.text() : ""))
    .then((text) => {
      const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(part.id);
      if (fresh) part.replaceWith(document.adoptNode(fresh));
    })
    .catch(() => {}); // the link stays
}
