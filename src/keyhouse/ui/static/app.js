/** Where the page begins: who is signed in, and which section they look at. */

import { me, whenSessionEnds } from "./api.js";
import { forgetDeletions, showApiKeys } from "./api-keys.js";
import { showAuditEvents } from "./audit-events.js";
import { closeAll } from "./dialogs.js";
import { make, stamp } from "./dom.js";
import { closeMenu } from "./menu.js";
import { clearNotices } from "./notices.js";
import { isFarewell, problemPanel } from "./problems.js";
import { SessionEnded, adopt, forget, remembered, signOut, whenChangedElsewhere } from "./session.js";
import { address, showShell } from "./shell.js";
import { askAgain, showSignIn } from "./sign-in.js";

const SECTIONS = {
  "api-keys": { title: "API Keys", show: showApiKeys },
  "audit-events": { title: "Audit events", show: showAuditEvents },
};
const page = document.getElementById("page");

// Who is signed in and the frame around what they see; null while nobody is.
let present = null;
let closeSection = () => {};
let asking = null;

function starting(text) {
  const view = stamp("starting");
  view.text.textContent = text;
  page.replaceChildren(view.root);
}

/** Takes everything of the session off the page. */
function leave() {
  closeSection();
  closeSection = () => {};
  present = null;
  asking = null;
  closeMenu();
  closeAll();
  clearNotices();
  forgetDeletions();
}

function toSignIn(note) {
  leave();
  showSignIn(page, { note, done: enter });
}

/** Shows what the session of this browser may see. */
async function enter() {
  leave();
  starting("Loading…");
  try {
    present = await me();
  } catch (problem) {
    if (isFarewell(problem)) {
      forget();
      toSignIn("Your session has ended. Sign in again.");
      return;
    }
    const panel = problemPanel(problem, () => { panel.close(); enter(); });
    page.replaceChildren(make("main", { className: "starting" }, title("Keyhouse"), panel.root));
    return;
  }
  present.shell = showShell(page, { ...present, signOut: leaveForGood });
  route();
}

/** Shows the section that the address names, or the first one. */
function route() {
  if (present === null) return;
  const { companies, shell } = present;
  const [, companyId, name] = /^#\/companies\/([^/]+)\/([^/]+)$/.exec(location.hash) ?? [];
  const company = companies.find(({ id }) => id === companyId) ?? companies[0] ?? null;
  const section = name in SECTIONS ? name : "api-keys";
  const moved = shell.main.childElementCount > 0;
  closeSection();
  closeSection = () => {};
  closeMenu();
  shell.mark(company, section);
  if (company === null) {
    document.title = "Keyhouse";
    shell.main.replaceChildren(title("Keyhouse"), noCompany());
    return;
  }
  if (location.hash !== address(company.id, section)) history.replaceState(null, "", address(company.id, section));
  document.title = `${SECTIONS[section].title} · ${company.name} · Keyhouse`;
  closeSection = SECTIONS[section].show(shell.main, { ...present, company });
  // Whoever goes through the companies with the arrow keys stays there.
  if (moved && !page.querySelector("#company:focus")) shell.main.querySelector("h1").focus();
}

/** For those who don't see that it is the page itself that speaks. */
function title(text) {
  return make("h1", { className: "hidden", tabIndex: -1, textContent: text });
}

function noCompany() {
  const view = stamp("panel");
  view.title.textContent = "You are in no company yet";
  view.text.textContent = "API keys belong to a company. Ask whoever runs this server to add you to one, then look again.";
  view.actions.append(make("button", { type: "button", textContent: "Look again", onclick: enter }));
  return view.root;
}

async function leaveForGood() {
  leave();
  history.replaceState(null, "", location.pathname);
  starting("Signing out…");
  try {
    await signOut();
  } catch (problem) {
    const panel = problemPanel(problem, () => { panel.close(); leaveForGood(); });
    panel.root.querySelector("h2").textContent = "You are still signed in";
    panel.root.prepend(make("p", { textContent: "Signing out could not be confirmed." }));
    page.replaceChildren(make("main", { className: "starting" }, title("Keyhouse"), panel.root));
    return;
  }
  toSignIn("You are signed out.");
}

whenSessionEnds(() => {
  // Before anything was shown there is nothing to come back to.
  if (present === null) return Promise.reject(new SessionEnded());
  asking = askAgain(present.user.email, () => { forget(); toSignIn(null); });
  return asking.renewed;
});

whenChangedElsewhere(async (begun) => {
  if (!begun) {
    toSignIn("You were signed out in another tab.");
    return;
  }
  adopt();
  const before = present?.user.id;
  if (before !== undefined) {
    asking?.close();
    asking = null;
    const now = await me().catch(() => null);
    if (now?.user.id === before) return;
  }
  enter();
});

addEventListener("hashchange", route);
if (remembered() === null) toSignIn(null);
else enter();
