/** Dialogs: opened above the page, gone from the document when they close. */

import { stamp } from "./dom.js";

/**
 * Shows a dialog; the promise is kept with its `returnValue` once it has closed and left the document.
 * @param {HTMLDialogElement} dialog
 * @param {() => void} [refused] what Escape does where the dialog may not be closed (`closedBy` none)
 */
export function open(dialog, refused = () => {}) {
  document.body.append(dialog);
  // Browsers close a dialog on a second Escape, whatever a page says of the first; not one whose key never arrived.
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !mustStay(dialog)) return;
    event.preventDefault();
    refused();
  });
  dialog.addEventListener("cancel", (event) => { if (event.target === dialog && mustStay(dialog)) event.preventDefault(); });
  const closed = new Promise((resolve) => {
    dialog.addEventListener("close", (event) => {
      if (event.target !== dialog) return;
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
  dialog.showModal();
  return closed;
}

/** Whether the dialog can be closed with Escape is to depend on this from now on. */
export function keepOpen(dialog, stay) {
  dialog.setAttribute("closedby", stay ? "none" : "closerequest");
}

function mustStay(dialog) {
  return dialog.getAttribute("closedby") === "none";
}

/** Closes every dialog: what they show is nobody's any more. */
export function closeAll() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.close();
    dialog.remove();
  }
}

/**
 * Asks before something grave; the promise is kept with whether it was agreed to.
 * @param {{title: Array<Node|string>, text: Node[], yes: string, no?: string}} question
 */
export async function ask({ title, text, yes, no = "Cancel" }) {
  const view = stamp("ask");
  view.title.append(...title);
  view.text.append(...text);
  view.yes.textContent = yes;
  view.no.textContent = no;
  view.yes.onclick = () => view.root.close("yes");
  view.no.onclick = () => view.root.close("no");
  return (await open(view.root)) === "yes";
}
