/** The section of API keys: the list, its pages, and what can be done with a key. */

import { deleteKey, listKeys } from "./api.js";
import { askToDelete, openRename, openRotate } from "./change-key.js";
import { copies } from "./clipboard.js";
import { openCreateKey } from "./create-key.js";
import { make, named, stamp } from "./dom.js";
import { keyRow } from "./key-row.js";
import { closeMenu, handOver, isOpen, openMenu } from "./menu.js";
import { notify } from "./notices.js";
import { pagedList } from "./paged-list.js";
import { isFarewell, sentence } from "./problems.js";
import { revealKey } from "./reveal-key.js";

// Deletions that are under way go on when the reader looks elsewhere.
const deleting = new Set();
// Brings the list up to date that is shown when they end, which may be another one.
let reloadShown = () => {};
const others = new BroadcastChannel("keyhouse.keys");

/**
 * Shows the section.
 * @param {{user: object, company: {id: string, name: string, role: string}, scopes: string[]}} context
 * @returns {() => void} takes it away
 */
export function showApiKeys(container, context) {
  const { user, company } = context;
  const view = stamp("api-keys");
  const isAdmin = company.role === "admin";
  view.lead.append(isAdmin ? "All keys of " : "The keys that you created in ", make("bdi", { textContent: company.name }), ".");
  view.companyId.textContent = company.id;
  copies(view.copyCompanyId, view.companyId, (said, worked) => notify([worked ? "Company ID copied." : said]));
  container.replaceChildren(view.root);

  let fresh = null;
  const list = pagedList({
    ...view,
    what: "Keys",
    load: (cursor) => listKeys(company.id, cursor),
    empty: () => emptyPanel(create, isAdmin),
    table: "keys-table",
    row: (key, keys) => {
      const row = keyRow(key, { ...context, keys, showCreator: isAdmin, deleting: deleting.has(key.id), me: user });
      const more = row.querySelector("[data-part=more]");
      more.onclick = () => openActions(more, key);
      if (isOpen(view.list.querySelector(`[data-key="${CSS.escape(key.id)}"] [data-part=more]`))) handOver(more);
      if (key.id === fresh) row.classList.add("new");
      return row;
    },
  });

  const changed = () => {
    others.postMessage(company.id);
    return reloadShown();
  };
  reloadShown = list.reload;

  const reveal = async (key, how) => {
    const shown = revealKey(key, how);
    list.first();
    others.postMessage(company.id);
    await shown;
    fresh = key.id;
    list.render();
    fresh = null;
  };

  const create = () => openCreateKey(context, (key) => reveal(key));
  view.create.onclick = create;

  function openActions(button, key) {
    if (isOpen(button)) {
      closeMenu();
      return;
    }
    const active = key.status === "active";
    const rotatable = active && key.replaced_by === null;
    openMenu(button, `Actions for ${key.name}`, [
      { label: "Rename", choose: () => openRename(company, key, changed) },
      {
        label: "Rotate", disabled: !rotatable, hint: rotatable ? "" : active ? "It was rotated already" : "Only an active key can be rotated",
        choose: () => openRotate(company, key, (successor) => reveal(successor, { rotated: true })),
      },
      { label: "Delete", grave: true, choose: () => remove(key) },
    ]);
  }

  async function remove(key, agreed = false) {
    if (!agreed && !(await askToDelete(key, user))) return;
    deleting.add(key.id);
    list.render();
    try {
      await deleteKey(company.id, key.id);
      notify([named(key.name), " was deleted. Every request with it is refused from now on."]);
    } catch (problem) {
      if (isFarewell(problem)) return;
      const doubt = problem.kind === "unreachable" || problem.status >= 500 ? ["It is not certain whether it still works. "] : sentence(problem);
      notify([named(key.name), " could not be deleted. ", ...doubt], { bad: true, action: ["Try again", () => remove(key, true)] });
    } finally {
      deleting.delete(key.id);
    }
    await changed();
  }

  const elsewhere = ({ data }) => { if (data === company.id) list.reload(); };
  others.addEventListener("message", elsewhere);
  list.first();
  return () => {
    others.removeEventListener("message", elsewhere);
    reloadShown = () => {};
    list.close();
  };
}

/** Forgets what was under way: the session is another one. */
export function forgetDeletions() {
  deleting.clear();
}

function emptyPanel(create, isAdmin) {
  const view = stamp("panel");
  view.title.textContent = "No API keys yet";
  view.text.textContent = `A key lets a program call the API ${isAdmin ? "of this company" : "for you"}. Create one, copy it into the program, and it can call the API until the key expires.`;
  view.actions.append(make("button", { type: "button", textContent: "Create the first API key", onclick: create }));
  return view.root;
}
