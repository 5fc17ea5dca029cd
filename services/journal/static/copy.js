// A button that copies a text. Without it the text is selected and copied by hand.

export function copy(root) {
  const line = root.querySelector("[data-said]");
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = root.querySelector(`#${button.dataset.copy}`);
      try {
        await navigator.clipboard.writeText(text.textContent);
        if (line) line.textContent = line.dataset.copied;
        button.classList.add("copied");
        setTimeout(() => button.classList.remove("copied"), 2000);
      } catch {
        // Not allowed, or not over https: it is selected, and one key press away.
        getSelection().selectAllChildren(text);
        text.focus();
      }
    });
  }
}
