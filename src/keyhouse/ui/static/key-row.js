/** A row of the list of keys. */

import { make, stamp, tell } from "./dom.js";
import { DAY, both, relative, secondsUntil } from "./times.js";

const SOON = 14 * DAY;
const SCOPES_SHOWN = 4;

/**
 * @param {object} key as the API tells it
 * @param {{scopes: string[], keys: object[], showCreator: boolean, deleting: boolean, me: {id: string}}} context
 *   `scopes` are those of full access, `keys` the list that the row is in
 */
export function keyRow(key, { scopes, keys, showCreator, deleting, me }) {
  const view = stamp("key-row");
  view.root.dataset.key = key.id;
  view.name.textContent = key.name;
  view.hint.textContent = `…${key.hint}`;
  if (showCreator) view.creator.textContent = key.created_by.id === me.id ? "by you" : `by ${key.created_by.email}`;
  view.access.textContent = access(key.scopes, scopes);
  view.scopes.append(...key.scopes.slice(0, SCOPES_SHOWN).map((scope) => make("span", { textContent: scope })));
  if (key.scopes.length > SCOPES_SHOWN) view.scopes.append(rest(key.scopes));
  view.created.append(...both(key.created_at));
  view.expires.append(...both(key.expires_at, { className: expiresSoon(key) ? "soon" : "" }));
  view.used.append(...(key.last_used_at ? both(key.last_used_at) : ["Never"]));
  const { label, kind, remark } = deleting ? { label: "Deleting…", kind: "danger", remark: "until it is refused everywhere" } : status(key, keys);
  view.badge.textContent = label;
  if (kind) view.badge.classList.add(kind);
  tell(view.remark, remark);
  view.more.setAttribute("aria-label", `Actions for ${key.name}`);
  if (deleting) {
    view.root.setAttribute("aria-busy", "true");
    view.badge.prepend(make("span", { className: "spinner", ariaHidden: "true" }));
    view.more.disabled = true;
  }
  return view.root;
}

function access(given, all) {
  if (all.length === given.length && all.every((scope) => given.includes(scope))) return "Full access";
  return given.length > 0 && given.every((scope) => scope.endsWith(":read")) ? "Read only" : "Chosen scopes";
}

function rest(scopes) {
  const more = make("details", {}, make("summary", { textContent: `${scopes.length - SCOPES_SHOWN} more` }));
  more.append(...scopes.slice(SCOPES_SHOWN).map((scope) => make("span", { textContent: scope })));
  return more;
}

function expiresSoon(key) {
  return key.status === "active" && secondsUntil(key.expires_at) < SOON;
}

/** What stands in the column of status, and why. */
function status(key, keys) {
  const former = keys.find((other) => other.id === key.replaces);
  const waiting = former?.status === "active" && former.retires_at === null;
  if (key.status === "revoked") return { label: "Deleted", kind: "over" };
  if (key.status === "expired") {
    const retired = key.retires_at !== null && secondsUntil(key.retires_at) <= 0;
    return { label: retired ? "Retired" : "Expired", kind: "over", remark: retired ? "its successor took over" : "" };
  }
  if (key.retires_at !== null) return { label: "Retiring", kind: "warn", remark: `stops ${relative(key.retires_at)}: its successor is in use` };
  if (key.replaced_by !== null) return { label: "Rotated", kind: "calm", remark: "works until its successor is first used" };
  const remark = waiting ? `waiting for first use, to replace …${former.hint}` : "";
  return expiresSoon(key) ? { label: "Expires soon", kind: "warn", remark } : { label: "Active", kind: "", remark };
}
