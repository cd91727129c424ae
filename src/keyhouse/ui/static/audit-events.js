/** The section of audit events, for admins. */

import { listAllKeys, listEvents } from "./api.js";
import { make, named, stamp } from "./dom.js";
import { pagedList } from "./paged-list.js";
import { both } from "./times.js";

const SAID = {
  "session.created": "Signed in",
  "session.ended": "Session ended",
  "session.denied": "Sign-in refused",
  "api_key.created": "API key created",
  "api_key.renamed": "API key renamed",
  "api_key.rotated": "API key rotated",
  "api_key.retired": "API key retired",
  "api_key.revoked": "API key deleted",
  "api_key.denied": "Dead API key tried",
  "member.added": "Member added",
  "member.changed": "Member’s role changed",
  "member.removed": "Member removed",
};
const KINDS = { user: "User", api_key: "API key", session: "Session", operator: "Operator", company: "Company" };

/** Shows the section; as `showApiKeys`. */
export function showAuditEvents(container, { user, company }) {
  const view = stamp("audit-events");
  view.lead.append("What happened to the keys, members and sessions of ", make("bdi", { textContent: company.name }), ".");
  container.replaceChildren(view.root);
  let names = new Map();
  const list = pagedList({
    ...view,
    what: "Events",
    load: async (cursor) => {
      // Without the names of keys the events are still worth reading.
      const [page, keys] = await Promise.all([listEvents(company.id, cursor), listAllKeys(company.id).catch(() => ({ results: [] }))]);
      names = namesOf(keys.results, user);
      return page;
    },
    empty: () => {
      const panel = stamp("panel");
      panel.title.textContent = "Nothing has happened yet";
      return panel.root;
    },
    table: "events-table",
    row: (event) => eventRow(event, names),
  });
  list.first();
  return () => list.close();
}

/** What people call the users and keys that events name by their ids. */
function namesOf(keys, user) {
  const names = new Map();
  for (const key of keys) {
    names.set(key.id, [named(key.name), ` …${key.hint}`]);
    names.set(key.created_by.id, [key.created_by.email]);
  }
  return names.set(user.id, ["You"]);
}

function eventRow(event, names) {
  const view = stamp("event-row");
  view.when.append(...both(event.at));
  view.action.textContent = SAID[event.action] ?? event.action;
  view.actor.append(...who(event.actor, names));
  // A session is told by whose it is; its own id says nothing to people.
  if (event.target && event.target.type !== "session") view.target.append(...who(event.target, names));
  view.ip.textContent = event.ip ?? "–";
  view.request.textContent = event.request_id ?? "–";
  return view.root;
}

function who(actor, names) {
  if (!actor) return ["–"];
  const known = names.get(actor.id);
  if (known) return known.map((node) => (typeof node === "string" ? node : node.cloneNode(true)));
  return actor.id ? [`${KINDS[actor.type] ?? actor.type} `, make("code", { textContent: `…${actor.id.slice(-8)}`, title: actor.id })] : [KINDS[actor.type] ?? actor.type];
}
