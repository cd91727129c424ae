/** Short messages in the corner: what was done, and what was not. */

import { make } from "./dom.js";

const STAY = 7000;
const place = document.getElementById("notices");

/**
 * Shows a message, above whatever is open. A bad one stays until it is answered or dismissed.
 * @param {Array<Node|string>} nodes
 * @param {{bad?: boolean, action?: [string, () => void]}} more
 */
export function notify(nodes, { bad = false, action = null } = {}) {
  const notice = make("div", { className: bad ? "bad" : "" }, make("p", {}, ...nodes));
  const dismiss = () => {
    notice.remove();
    if (place.childElementCount === 0 && place.matches(":popover-open")) place.hidePopover();
  };
  if (action) notice.append(make("button", { type: "button", className: "quiet small", textContent: action[0], onclick: () => { dismiss(); action[1](); } }));
  if (bad) notice.append(make("button", { type: "button", className: "quiet small", textContent: "Dismiss", onclick: dismiss }));
  else setTimeout(dismiss, STAY);
  if (place.matches(":popover-open")) place.hidePopover();
  place.showPopover();
  place.append(notice);
}

/** Takes every message away. */
export function clearNotices() {
  place.replaceChildren();
  if (place.matches(":popover-open")) place.hidePopover();
}
