/** The dialog that shows a new key, this once. When it has closed, nothing of the page knows the key any more. */

import { copies } from "./clipboard.js";
import { ask, open } from "./dialogs.js";
import { make, named, stamp } from "./dom.js";

/**
 * @param {{name: string, token: string, company_id: string, scopes: string[]}} key
 * @param {{rotated?: boolean}} how
 */
export async function revealKey(key, { rotated = false } = {}) {
  const view = stamp("reveal-key");
  const dialog = view.root;
  let saved = false;
  view.title.append(rotated ? "The new key of " : "Your new API key ", named(key.name));
  view.token.textContent = key.token;
  view.companyId.textContent = key.company_id;
  view.curl.append(...curl(key));

  const say = (text) => { view.said.textContent = text; };
  const sayAndSave = (text, worked) => {
    saved ||= worked;
    say(text);
  };
  copies(view.copyToken, view.token, sayAndSave);
  copies(view.copyCurl, view.curl, sayAndSave);
  copies(view.copyCompanyId, view.companyId, say);

  const forget = () => {
    for (const part of [view.token, view.curl]) part.textContent = "";
  };
  // A dialog tells only some time later that it has closed.
  const close = () => {
    forget();
    dialog.close();
  };
  const closeAfterAsking = async () => {
    const sure = await ask({
      title: [saved ? "Close, with the key stored?" : "Close without copying the key?"],
      text: [make("p", { textContent: "It can’t be shown again. Without a copy of it you would have to delete this key and create another." })],
      yes: "Close",
      no: "Keep it open",
    });
    if (sure) close();
  };
  view.done.onclick = () => (saved ? close() : closeAfterAsking());

  const warn = (event) => { if (!saved) event.preventDefault(); };
  addEventListener("beforeunload", warn);
  const closed = open(dialog, closeAfterAsking);
  view.copyToken.focus();
  await closed;
  removeEventListener("beforeunload", warn);
  forget();
}

/** A command that works as it is pasted; of the key in it, less is shown than is copied. */
function curl({ token, company_id: company, scopes }) {
  const path = scopes.includes("datasets:read") ? `companies/${company}/datasets/` : "auth/me/";
  const url = new URL(`api/v1/${path}`, document.baseURI);
  return ['curl -H "Authorization: Bearer ', make("span", { className: "elided", textContent: token }), `" ${url}`];
}
