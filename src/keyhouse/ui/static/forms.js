/** Forms: sent once at a time, faults told at their fields, and nothing that was typed is lost. */

import { make } from "./dom.js";
import { isFarewell, sentence } from "./problems.js";

/**
 * @param {HTMLFormElement} form with a `[data-part=problem]` for what belongs to no field
 * @param {object} doing
 * @param {() => Promise<any>} doing.send sends what is in the form
 * @param {(answer: any) => void} doing.done
 * @param {Record<string, string>} [doing.fields] where the API's `attr` is another than the control's name
 * @param {(problem: Error) => boolean} [doing.failed] answers whether it told of the problem itself
 * @param {(busy: boolean) => void} [doing.busy]
 * @param {(attr: string, entry: object) => string} [doing.word] the text of an entry, where the API's is not for people
 */
export function handle(form, { send, done, fields = {}, failed = () => false, busy = () => {}, word = (_, entry) => entry.detail }) {
  const button = form.querySelector("[type=submit]");
  const label = button.textContent;
  let sending = false;

  const setBusy = (value) => {
    sending = value;
    button.setAttribute("aria-busy", String(value));
    if (value) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
    button.textContent = value ? button.dataset.busy : label;
    busy(value);
  };

  const refuse = (problem) => {
    if (failed(problem)) return;
    const loose = [];
    for (const entry of problem.status === 400 ? problem.errors : []) {
      const [attr] = (entry.attr ?? "").split(".");
      const control = form.elements.namedItem(fields[attr] ?? attr);
      if (attr && control) fault(control, word(attr, entry));
      else loose.push(entry.attr ? `${entry.attr}: ${entry.detail}` : entry.detail);
    }
    if (problem.status !== 400 || problem.errors.length === 0) say(form, sentence(problem));
    else if (loose.length > 0) say(form, [loose.join(" ")]);
    focusFirst(form);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending || button.hasAttribute("aria-disabled")) return;
    say(form, []);
    let whole = true;
    for (const control of form.elements) if (!check(control)) whole = false;
    if (!whole) {
      focusFirst(form);
      return;
    }
    setBusy(true);
    try {
      const answer = await send();
      setBusy(false);
      done(answer);
    } catch (problem) {
      setBusy(false);
      if (!isFarewell(problem)) refuse(problem);
    }
  });

  form.addEventListener("input", (event) => {
    if (event.target.getAttribute("aria-invalid") === "true") check(event.target);
  });
}

/** Tells what stands above the fields; nothing hides it. */
export function say(form, nodes) {
  const place = form.querySelector("[data-part=problem]");
  place.replaceChildren(...nodes);
  place.hidden = nodes.length === 0;
}

function check(control) {
  if (!control.name || !control.willValidate) return true;
  const { validity } = control;
  let text = "";
  if (validity.valueMissing && validity.badInput) text = control.dataset.mistaken;
  else if (validity.valueMissing || isBlank(control)) text = control.dataset.missing;
  else if (validity.customError) text = control.validationMessage;
  else if (!validity.valid) text = control.dataset.mistaken ?? control.validationMessage;
  fault(control, text);
  return text === "";
}

function isBlank(control) {
  return control.required && control.type === "text" && control.value.trim() === "";
}

/** Marks a control, or of a group of them the first, as wrong and says why; an empty text takes both back. */
function fault(found, text) {
  const control = found instanceof RadioNodeList ? found[0] : found;
  const field = control.closest(".field");
  const id = `${control.id || control.name}-error`;
  const before = field.querySelector(".error");
  const others = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((part) => part && part !== id);
  if (text === "") {
    if (before?.id === id) before.remove();
    control.removeAttribute("aria-invalid");
  } else {
    before?.remove();
    field.append(make("p", { className: "error", id, textContent: text }));
    control.setAttribute("aria-invalid", "true");
    others.unshift(id);
  }
  if (others.length > 0) control.setAttribute("aria-describedby", others.join(" "));
  else control.removeAttribute("aria-describedby");
}

function focusFirst(form) {
  const wrong = form.querySelector("[aria-invalid=true], [data-part=problem]:not([hidden])");
  wrong?.focus();
}
