// Brings what an address points at into view and puts the caret there. Without it the reader scrolls: it is marked too.

const aim = document.querySelector("[data-aim]");
if (aim) {
  aim.scrollIntoView({ block: "center" });
  aim.focus({ preventScroll: true });
  if (aim.select && aim.value) aim.select();
}
