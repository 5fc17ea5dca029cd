// The sections of a record, one at a time. Without it they stand one below the other, and the links jump to them.

export function tabs(root, chosen) {
  const links = [...root.querySelectorAll("[data-tab]")];
  const parts = links.map((link) => root.querySelector(`#${link.dataset.tab}`));

  function show(name) {
    links.forEach((link, place) => {
      const on = link.dataset.tab === name;
      if (on) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      parts[place].hidden = !on;
    });
    root.dataset.tab = name;
  }

  for (const link of links) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      show(link.dataset.tab);
    });
  }
  const first = links.find((link) => link.dataset.tab === chosen) ?? links[0];
  if (first) show(first.dataset.tab);
}
