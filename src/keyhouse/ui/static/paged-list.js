/** A list in pages: loading, empty, failing, and up to date while somebody looks at it. */

import { PAGE_SIZE } from "./api.js";
import { make, stamp } from "./dom.js";
import { closeOrphan } from "./menu.js";
import { explain, isFarewell, problemPanel } from "./problems.js";
import { refreshTimes } from "./times.js";

const TICK = 30_000;

/**
 * @param {object} parts the elements of the section, and what the list is made of
 * @param {(cursor: string|null) => Promise<{results: object[], next_cursor: string|null}>} parts.load
 * @param {(item: object, items: object[]) => HTMLElement} parts.row
 * @param {() => HTMLElement} parts.empty
 * @param {string} parts.table the template of the table
 * @param {string} parts.what the name of the items in "Keys 51–100"
 */
export function pagedList({ list, pager, newer, older, range, heading, banner, load, row, empty, table, what }) {
  // The cursors of the pages up to the one that is shown.
  let cursors = [null];
  let page = null;
  let panel = null;
  let turn = 0;

  const put = (element, busy = false) => {
    list.replaceChildren(element);
    list.setAttribute("aria-busy", String(busy));
  };

  /** Shows the page again, with the focus where it was. */
  function render() {
    if (page === null || panel !== null) return;
    const focused = document.activeElement?.closest("[data-key]")?.dataset.key;
    if (page.results.length === 0 && cursors.length === 1) {
      put(empty());
    } else {
      const view = stamp(table);
      view.rows.append(...page.results.map((item) => row(item, page.results)));
      put(view.root);
    }
    const first = (cursors.length - 1) * PAGE_SIZE + 1;
    range.textContent = `${what} ${first}–${first + page.results.length - 1}`;
    newer.disabled = cursors.length === 1;
    older.disabled = page.next_cursor === null;
    pager.hidden = newer.disabled && older.disabled;
    if (closeOrphan()) heading.focus();
    if (focused) (list.querySelector(`[data-key="${CSS.escape(focused)}"] button:not(:disabled)`) ?? heading).focus();
  }

  /** Loads the present page. When it is there already it stays until the new one is, whatever happens. */
  async function reload() {
    const mine = ++turn;
    try {
      const loaded = await load(cursors.at(-1));
      if (mine !== turn) return;
      page = loaded;
      if (page.results.length === 0 && cursors.length > 1) {
        cursors.pop();
        await reload();
        return;
      }
      warn(null);
      closePanel();
      render();
    } catch (problem) {
      if (mine !== turn || isFarewell(problem)) return;
      if (page !== null) warn(problem);
      else fail(problem);
    }
  }

  function fail(problem) {
    closePanel();
    panel = problemPanel(problem, () => go(cursors));
    put(panel.root);
    pager.hidden = true;
  }

  function closePanel() {
    panel?.close();
    panel = null;
  }

  /** Above a list that may be out of date. */
  function warn(problem) {
    if (!banner) return;
    banner.hidden = problem === null;
    if (problem === null) return;
    const { title } = explain(problem);
    const retry = make("button", { type: "button", className: "quiet small", textContent: "Try again", onclick: reload });
    banner.replaceChildren(make("span", { textContent: `${title}. What you see may be out of date.` }), retry);
  }

  function go(to) {
    cursors = to;
    page = null;
    closePanel();
    put(make("div", { className: "waiting" }, make("p", { className: "hidden", role: "status", textContent: "Loading…" }), ...Array.from({ length: 4 }, () => make("span"))), true);
    return reload();
  }

  async function turnTo(to) {
    await go(to);
    heading.focus();
    scrollTo(0, 0);
  }
  newer.onclick = () => turnTo(cursors.slice(0, -1));
  older.onclick = () => turnTo([...cursors, page.next_cursor]);

  const look = () => { if (document.visibilityState === "visible" && page !== null) reload(); };
  const lose = () => { if (page !== null) reload(); };
  document.addEventListener("visibilitychange", look);
  addEventListener("offline", lose);
  addEventListener("online", look);
  const timer = setInterval(() => refreshTimes(list), TICK);

  return {
    reload,
    render,
    /** Goes to the newest items. */
    first: () => (page !== null && cursors.length === 1 ? reload() : go([null])),
    close() {
      turn = -1;
      clearInterval(timer);
      closePanel();
      document.removeEventListener("visibilitychange", look);
      removeEventListener("offline", lose);
      removeEventListener("online", look);
    },
  };
}
