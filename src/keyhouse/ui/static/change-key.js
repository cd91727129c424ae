/** The dialogs that change a key: rename, rotate, delete. */

import { renameKey, rotateKey } from "./api.js";
import { ask, keepOpen, open } from "./dialogs.js";
import { make, named, stamp } from "./dom.js";
import { EXPIRATION_FIELDS, expirationField, wordExpiry } from "./expiration.js";
import { handle } from "./forms.js";
import { limitName } from "./key-name.js";
import { exact, relative } from "./times.js";

/** Opens the dialog of a new name; `renamed` is called with the key as it is then. */
export function openRename(company, key, renamed) {
  const { root: dialog, cancel } = stamp("rename-key");
  const form = dialog.querySelector("form");
  const input = form.elements.namedItem("name");
  input.value = key.name;
  limitName(input);
  handle(form, {
    busy: (value) => keepOpen(dialog, value),
    send: () => renameKey(company.id, key.id, input.value),
    done(answer) {
      dialog.close();
      renamed(answer);
    },
  });
  prepare(dialog, cancel);
  input.select();
}

/** Opens the dialog of a rotation; `rotated` is called with the successor, its token included. */
export function openRotate(company, key, rotated) {
  const { root: dialog, cancel, title, expiration, fate } = stamp("rotate-key");
  const form = dialog.querySelector("form");
  const field = expirationField();
  title.append("Rotate ", named(key.name));
  expiration.replaceWith(field.root);
  fate.textContent = `Until then the old key (…${key.hint}) works as before. If the new key is never used, the old one works until it expires, on ${exact(key.expires_at)}.`;
  handle(form, {
    fields: EXPIRATION_FIELDS,
    word: wordExpiry,
    busy: (value) => keepOpen(dialog, value),
    send: () => rotateKey(company.id, key.id, { ...field.value(), overlap: Number(form.elements.overlap.value) }),
    done(successor) {
      dialog.close();
      rotated(successor);
    },
  });
  prepare(dialog, cancel);
  form.elements.expiration.focus();
}

/** Asks whether to delete a key, saying what that means. */
export function askToDelete(key, me) {
  const owner = key.created_by?.id === me.id ? "you" : key.created_by?.email;
  const use = key.last_used_at === null ? "It was never used." : `It was last used ${relative(key.last_used_at)}, on ${exact(key.last_used_at)}.`;
  const effect = key.status === "active"
    ? "Whatever uses this key stops working: every request with it is refused from the moment it is deleted."
    : "The key has expired, so nothing stops working. It leaves this list.";
  return ask({
    title: ["Delete ", named(key.name), "?"],
    text: [
      make("p", {}, "The key ending in ", make("code", { textContent: `…${key.hint}` }), ` was created by ${owner} on ${exact(key.created_at)}. ${use}`),
      make("p", {}, make("strong", { textContent: effect }), " This can’t be undone."),
    ],
    yes: "Delete key",
  });
}

function prepare(dialog, cancel) {
  cancel.onclick = () => { if (dialog.getAttribute("closedby") !== "none") dialog.close(); };
  open(dialog);
}
