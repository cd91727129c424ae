/** Copy buttons that say whether it worked. */

const SHOWN = 2000;

/**
 * @param {HTMLButtonElement} button its label is in a `span`, or its own text
 * @param {HTMLElement} source the element whose text is copied
 * @param {(said: string, worked: boolean) => void} said
 */
export function copies(button, source, said) {
  const label = button.querySelector("span") ?? button;
  const text = label.textContent;
  let timer;
  button.addEventListener("click", async () => {
    const worked = await copy(source);
    label.textContent = worked ? "Copied" : "Press Ctrl+C";
    clearTimeout(timer);
    timer = setTimeout(() => { label.textContent = text; }, SHOWN);
    said(worked ? `${text.replace("Copy", "Copied")}.` : "It is selected: press Ctrl+C to copy it.", worked);
  });
}

async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    // Not allowed, or not there: over plain HTTP to another machine browsers have no clipboard.
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}
