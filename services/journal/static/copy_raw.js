// Copies the text behind the address that a button names. Only where the browser lets a page copy: otherwise the button
// stays away, and the file beside it is the way.

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const answer = await fetch(button.dataset.copy);
    if (!answer.ok) return;
    await navigator.clipboard.writeText(await answer.text());
    button.textContent = button.dataset.copied;
  });
}
