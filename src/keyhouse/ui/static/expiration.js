/** The choice of when a key expires: in some days, or on a date. */

import { stamp } from "./dom.js";
import { DAY, dayFromNow, endOfDay, exact, fromNow, relative } from "./times.js";

const LONGEST = 366;

/** Where the API's `attr` of an expiry belongs. */
export const EXPIRATION_FIELDS = { expires_in: "expiration", expires_at: "date" };

/** Builds the field. `value` is the part of a request's body that it stands for. */
export function expirationField() {
  const view = stamp("expiration");
  const choice = view.root.querySelector("select");
  const { date, hint } = view;
  // The server allows less than a year and a day ahead, to the second.
  Object.assign(date, { min: dayFromNow(0), max: dayFromNow(LONGEST - 1), value: dayFromNow(30) });

  const onDate = () => choice.value === "date";
  const describe = () => {
    date.hidden = !onDate();
    date.disabled = !onDate();
    date.setCustomValidity("");
    if (onDate() && date.validity.rangeUnderflow) date.setCustomValidity("The date has passed.");
    if (onDate() && date.validity.rangeOverflow) date.setCustomValidity("At most one year ahead.");
    if (onDate() && !date.validity.valid) {
      hint.textContent = "The key works until the end of that day.";
      return;
    }
    const moment = onDate() ? endOfDay(date.value) : fromNow(Number(choice.value) * DAY);
    hint.textContent = `Works until ${exact(moment)}${onDate() ? `, ${relative(moment)}` : ""}. This can’t be changed later.`;
  };
  // The field takes part in the form's own checks, which run after this.
  view.root.addEventListener("input", describe);
  describe();

  return {
    root: view.root,
    value: () => (onDate() ? { expires_at: endOfDay(date.value) } : { expires_in: Number(choice.value) * DAY }),
  };
}

/** The text of a refusal of an expiry, in days instead of seconds. */
export function wordExpiry(attr, entry) {
  const seconds = /(\d+)(?: seconds ahead)?\.$/.exec(entry.detail)?.[1];
  const tooLong = entry.code === "max_value" || /at most/.test(entry.detail);
  if (!(attr in EXPIRATION_FIELDS) || !tooLong || seconds === undefined) return entry.detail;
  const days = Math.floor(seconds / DAY);
  return days >= 1 ? `This server allows at most ${days} ${days === 1 ? "day" : "days"}.` : entry.detail;
}
