// The choice of how many rows a page shows takes effect at once.

document.getElementById("size")?.addEventListener("change", (event) => event.target.form.submit());
