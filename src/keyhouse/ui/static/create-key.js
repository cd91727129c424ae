/** The dialog that creates a key. */

import { createKey } from "./api.js";
import { keepOpen, open } from "./dialogs.js";
import { stamp } from "./dom.js";
import { EXPIRATION_FIELDS, expirationField, wordExpiry } from "./expiration.js";
import { handle } from "./forms.js";
import { limitName } from "./key-name.js";

/**
 * Opens the dialog; `created` is called with the new key, its token included.
 * @param {{company: {id: string}, scopes: string[]}} context
 */
export function openCreateKey({ company, scopes }, created) {
  const { root: dialog, expiration, full, read, cancel, access } = stamp("create-key");
  const form = dialog.querySelector("form");
  const field = expirationField();
  expiration.replaceWith(field.root);
  limitName(form.elements.namedItem("name"));

  const readable = scopes.filter((scope) => scope.endsWith(":read"));
  full.textContent = scopes.join(", ");
  read.textContent = readable.join(", ") || "No scope of this application only reads.";
  access.querySelector("[value=read]").disabled = readable.length === 0;

  handle(form, {
    fields: EXPIRATION_FIELDS,
    word: wordExpiry,
    busy: (value) => keepOpen(dialog, value),
    send: () => createKey(company.id, {
      name: form.elements.namedItem("name").value,
      ...field.value(),
      ...(form.elements.scopes.value === "read" ? { scopes: readable } : {}),
    }),
    done(key) {
      dialog.close();
      created(key);
    },
  });
  cancel.onclick = () => { if (dialog.getAttribute("closedby") !== "none") dialog.close(); };
  open(dialog);
  form.elements.namedItem("name").focus();
}
