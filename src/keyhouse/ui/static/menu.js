/** The one menu of the page, filled and placed for the button that opens it. */

import { make } from "./dom.js";

const GAP = 6;
const EDGE = 8;

export const menu = document.getElementById("menu");
let opener = null;

/** Whether the menu is open, of this button or of any. */
export function isOpen(button = opener) {
  return menu.matches(":popover-open") && opener === button && opener !== null;
}

/**
 * @param {HTMLElement} button
 * @param {string} label the menu's name
 * @param {Array<{label: string, hint?: string, grave?: boolean, disabled?: boolean, choose: () => void}>} items
 * @param {{focus?: boolean}} how `focus` moves into the menu
 */
export function openMenu(button, label, items, { focus = true } = {}) {
  if (isOpen() && !isOpen(button)) closeMenu();
  if (!isOpen(button)) {
    opener = button;
    menu.setAttribute("aria-label", label);
    menu.replaceChildren(...items.map(makeItem));
    // In the same landmark as its button, for those who go by landmarks.
    button.closest("header, main").append(menu);
    menu.showPopover({ source: button });
    place(button);
    button.setAttribute("aria-expanded", "true");
  }
  if (focus) menu.querySelector("button").focus();
}

export function closeMenu() {
  if (menu.matches(":popover-open")) menu.hidePopover();
}

/** The open menu is this button's from now on: it takes the place of the one that opened it. */
export function handOver(button) {
  opener = button;
  button.setAttribute("aria-expanded", "true");
}

/** Closes the menu when its button is gone; returns whether the focus was in it. */
export function closeOrphan() {
  if (!isOpen() || opener.isConnected) return false;
  const focused = menu.contains(document.activeElement);
  closeMenu();
  return focused;
}

function makeItem({ label, hint, grave = false, disabled = false, choose }) {
  const item = make("button", { type: "button", role: "menuitem", tabIndex: -1, className: grave ? "grave" : "" }, label);
  if (hint) item.append(make("small", { textContent: hint }));
  if (disabled) item.setAttribute("aria-disabled", "true");
  item.addEventListener("click", () => {
    if (disabled) return;
    closeMenu();
    choose();
  });
  return item;
}

/** Below the button and in line with its end; above where there is no room, in line with its start where there is none. */
function place(button) {
  const at = button.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = at.bottom + GAP + height <= innerHeight - EDGE;
  const left = at.right - width >= EDGE ? at.right - width : at.left;
  menu.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - width - EDGE))}px`;
  menu.style.top = `${below ? at.bottom + GAP : Math.max(EDGE, at.top - GAP - height)}px`;
}

menu.addEventListener("keydown", (event) => {
  const items = [...menu.querySelectorAll("button")];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    items.at(to % items.length).focus();
  } else if (event.key === "Tab") {
    // From the menu the focus goes on from its button.
    closeMenu();
  }
});

menu.addEventListener("beforetoggle", (event) => {
  if (event.newState !== "closed" || opener === null) return;
  const from = opener;
  opener = null;
  from.setAttribute("aria-expanded", "false");
  from.dispatchEvent(new Event("menuclosed"));
  // The browser would give it back to the button that opened the menu, which may be another one and gone.
  if (menu.contains(document.activeElement)) from.focus();
});

for (const event of ["scroll", "resize"]) {
  addEventListener(event, () => { if (isOpen()) place(opener); }, { passive: true, capture: true });
}
