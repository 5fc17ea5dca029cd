// Ticks of the rows: the head's box ticks the page, a banner offers all that match, what is unticked then is left out.
// The form `bulk` says it in its fields, so that the server understands it the same way as without this.

const list = document.getElementById("list");
const form = document.getElementById("bulk");
const picked = document.getElementById("picked");

if (list && form && picked) {
  const count = Number(list.dataset.count);
  const page = document.getElementById("pick-page");
  let all = false;
  let ids = new Set(); // ticked on this page; kept while rows are swapped
  let except = new Set(); // of all that match, those left out

  const boxes = () => [...list.querySelectorAll('td.pick input[name="id"]')];
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function write() {
    form.elements.of.value = all ? "all" : "page";
    for (const field of form.querySelectorAll('input[name="except"]')) field.remove();
    for (const id of all ? except : []) {
      const field = Object.assign(document.createElement("input"), { type: "hidden", name: "except", value: id });
      form.append(field);
    }
  }

  function show() {
    const chosen = all ? count - except.size : ids.size;
    const rows = boxes();
    for (const box of rows) box.checked = all ? !except.has(box.value) : ids.has(box.value);
    const ticked = rows.filter((box) => box.checked).length;
    if (page) {
      page.checked = rows.length > 0 && ticked === rows.length;
      page.indeterminate = ticked > 0 && ticked < rows.length;
    }
    const any = all || ids.size > 0;
    picked.hidden = form.hidden = !any;
    list.toggleAttribute("data-picking", any);
    const label = form.querySelector("[data-count]");
    label.hidden = !any;
    label.textContent = fill(label.dataset.text, { count: chosen.toLocaleString(document.documentElement.lang) });
    form.querySelector("[data-clear]").hidden = !any;
    const said = all
      ? except.size ? fill(picked.dataset.but, { except: except.size }) : picked.dataset.all
      : fill(picked.dataset.page, { count: ids.size });
    const line = picked.querySelector("[data-say]");
    if (line.textContent !== said) line.textContent = said;
    const offer = picked.querySelector("[data-all-matches]");
    if (offer) offer.hidden = all;
    picked.querySelector("[data-only-page]").hidden = !all;
    write();
  }

  function tick(box) {
    if (all) box.checked ? except.delete(box.value) : except.add(box.value);
    else box.checked ? ids.add(box.value) : ids.delete(box.value);
    show();
  }

  function clear() {
    all = false;
    ids = new Set();
    except = new Set();
    show();
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches('td.pick input[name="id"]')) return tick(event.target);
    if (event.target.id !== "pick-page") return;
    for (const box of boxes()) {
      if (all) event.target.checked ? except.delete(box.value) : except.add(box.value);
      else event.target.checked ? ids.add(box.value) : ids.delete(box.value);
    }
    show();
  });
  picked.addEventListener("click", (event) => {
    if (event.target.matches("[data-all-matches]")) {
      all = true;
      except = new Set();
      show();
      form.querySelector("button").focus();
    } else if (event.target.matches("[data-only-page]")) {
      all = false;
      ids = new Set(boxes().map((box) => box.value));
      show();
    }
  });
  form.querySelector("[data-clear]").addEventListener("click", clear);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open]") && (all || ids.size)) clear();
  });
  // Rows that are swapped by the live update keep their ticks; what left the page is no longer ticked.
  new MutationObserver(() => {
    const there = new Set(boxes().map((box) => box.value));
    if ([...ids].some((id) => !there.has(id)) || boxes().some((box) => box.checked !== (all ? !except.has(box.value) : ids.has(box.value)))) {
      for (const id of ids) if (!there.has(id)) ids.delete(id);
      show();
    }
  }).observe(list, { childList: true, subtree: true });
  for (const box of boxes()) if (box.checked) ids.add(box.value); // the browser's back button keeps ticks
  show();
}
