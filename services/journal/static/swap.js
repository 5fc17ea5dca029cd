// Brings a record up to date in place: only what differs is swapped, and scroll, focus, the chosen section and unfolded
// parts stay. What somebody is typing in, or has selected, is left alone.

const FOCUSABLE = "a, button, summary, input, select, textarea, [tabindex]";

function still(part) {
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.textContent = "";
  for (const details of copy.querySelectorAll("details")) details.removeAttribute("open");
  for (const button of copy.querySelectorAll("[data-copy], [data-go]")) {
    button.removeAttribute("hidden");
    button.removeAttribute("disabled");
  }
  copy.removeAttribute("hidden");
  return copy.outerHTML;
}

function inUse(part) {
  const typing = document.activeElement;
  if (part.contains(typing) && typing.matches("input, textarea, select")) return true;
  const selected = getSelection();
  return !selected.isCollapsed && part.contains(selected.anchorNode);
}

function keep(old, next) {
  next.hidden = old.hidden;
  const unfolded = [...old.querySelectorAll("details")].map((one) => one.open);
  [...next.querySelectorAll("details")].forEach((one, place) => (one.open = unfolded[place] ?? one.open));
  for (const was of old.querySelectorAll("[data-go]")) {
    const button = next.querySelector(`[data-go="${was.dataset.go}"]`);
    [button.hidden, button.disabled] = [was.hidden, was.disabled];
  }
  const focus = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  const scrolled = [...old.querySelectorAll("pre, .scroll")].map((one) => [one.scrollTop, one.scrollLeft]);
  old.replaceWith(next);
  [...next.querySelectorAll("pre, .scroll")].forEach((one, place) => one.scrollTo(...(scrolled[place] ?? []).reverse()));
  if (focus >= 0) next.querySelectorAll(FOCUSABLE)[focus]?.focus({ preventScroll: true });
}

export function swap(root, fresh) {
  const names = (of) => [...of.querySelectorAll("[data-part]")].map((part) => part.id).join();
  if (names(root) !== names(fresh)) return false;
  root.dataset.moving = fresh.dataset.moving;
  for (const next of [...fresh.querySelectorAll("[data-part]")]) {
    const old = root.querySelector(`#${next.id}`);
    if (still(old) === still(next)) {
      const times = next.querySelectorAll("time");
      old.querySelectorAll("time").forEach((time, place) => {
        if (time.innerHTML !== times[place].innerHTML) time.innerHTML = times[place].innerHTML;
      });
    } else if (!inUse(old)) keep(old, document.adoptNode(next));
  }
  return true;
}
