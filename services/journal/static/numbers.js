// Says while somebody types what each number is: how many are valid, twice, or cannot be one, and why, line by line. The
// same rules as the server's, which decides; without this the receipt tells.

const BETWEEN = { no: /[\s,;]+/, yes: /\s*[\n\r\t,;]\s*/ };
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// Characters that cannot be seen: controls, format marks, lone halves, and blanks other than the usual one.
const ODD = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

function look(text, form) {
  const seen = new Set();
  const found = { valid: [], double: 0, wrong: [] };
  text.split(/\r?\n/).forEach((line, at) => {
    for (const number of line.split(BETWEEN[form.dataset.blanks]).filter(Boolean)) {
      if (seen.has(number)) found.double += 1;
      else if (number.length > Number(form.dataset.longest)) found.wrong.push({ number, line: at + 1, why: "long" });
      else if (ODD.test(number)) found.wrong.push({ number, line: at + 1, why: "odd" });
      else found.valid.push(number);
      seen.add(number);
    }
  });
  return found;
}

function piece(tag, className, text) {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

function show(form) {
  const told = form.querySelector("#valid");
  const field = form.elements.numbers;
  const found = look(field.value, form);
  const parts = [];
  const chips = piece("p", "chips", "");
  if (found.valid.length) chips.append(piece("span", "chip solid-done", fill(told.dataset.valid, { count: found.valid.length })));
  if (found.wrong.length) chips.append(piece("span", "chip failed", fill(told.dataset.invalid, { count: found.wrong.length })));
  if (found.double) chips.append(piece("span", "chip solid-skipped", fill(told.dataset.double, { count: found.double })));
  if (chips.childElementCount) parts.push(chips);
  for (const one of found.wrong.slice(0, 5)) {
    const line = piece("p", "problem", "");
    line.append(piece("span", "", fill(told.dataset[one.why], { number: one.number.slice(0, 40), line: one.line })));
    const remove = piece("button", "link", told.dataset.remove);
    remove.type = "button";
    remove.addEventListener("click", () => {
      field.value = field.value.split(/\r?\n/).map((text, at) => (at + 1 === one.line ? text.replace(one.number, "") : text)).join("\n");
      show(form);
      field.focus();
    });
    line.append(remove);
    parts.push(line);
  }
  const many = found.valid.length > Number(form.dataset.most);
  if (many) parts.push(piece("p", "problem", fill(told.dataset.many, { count: found.valid.length })));
  told.replaceChildren(...parts);
  if (found.wrong.length || many) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
  form.querySelector("[data-go]").disabled = many || (field.value.trim() !== "" && !found.valid.length);
}

function watch(form) {
  form?.elements.numbers?.addEventListener("input", () => show(form));
  if (form?.elements.numbers?.value) show(form);
}

watch(document.getElementById("request"));
document.addEventListener("shown", (event) => watch(event.target.querySelector("#request")));
