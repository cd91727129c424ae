/** Elements out of the page's templates. Texts get in as text: no name of a key can become markup. */

/**
 * A copy of a template, its root as `root` and each element with `data-part` under that name.
 * @param {string} name the template's id, without its `t-`
 */
export function stamp(name) {
  const root = document.importNode(document.getElementById(`t-${name}`).content, true).firstElementChild;
  const parts = { root };
  for (const element of root.querySelectorAll("[data-part]")) parts[element.dataset.part] = element;
  return parts;
}

/** An element with properties and children, which are elements or texts. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Puts a text into an element and shows it, or hides the element when there is none. */
export function tell(element, text) {
  element.textContent = text ?? "";
  element.hidden = !text;
}

/** A name amid a sentence, whatever its direction of writing. */
export function named(text) {
  return make("span", {}, "“", make("bdi", { textContent: text }), "”");
}
