/** Moments in words: how far from now, and exactly when, in the reader's time zone. */

import { make } from "./dom.js";

const LOCALE = navigator.languages.find((language) => /^en\b/.test(language)) ?? "en";
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const EXACT = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });
const FULL = new Intl.DateTimeFormat(LOCALE, { dateStyle: "full", timeStyle: "long" });
const MINUTE = 60;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const MONTH = 30.44 * DAY;
const YEAR = 365.25 * DAY;
// From how many seconds on, in which unit, and how it is rounded: what is short is not made longer.
const STEPS = [
  [2 * YEAR, "year", YEAR, Math.round], [90 * DAY, "month", MONTH, Math.round], [2 * DAY, "day", DAY, Math.round],
  [HOUR, "hour", HOUR, Math.trunc], [MINUTE, "minute", MINUTE, Math.trunc],
];

let ahead = 0;

/** Learns the server's clock, which decides about expiry, from an answer's `Date`. */
export function noteServerTime(header) {
  const server = Date.parse(header ?? "");
  // The header has whole seconds, and a busy server's is some seconds old: less than that is no difference.
  if (!Number.isNaN(server)) ahead = Math.abs(server - Date.now()) < 10000 ? 0 : server - Date.now();
}

/** Milliseconds since 1970 by the server's clock. */
export function now() {
  return Date.now() + ahead;
}

/** How many seconds from now a moment is; negative when it has passed. */
export function secondsUntil(moment) {
  return (Date.parse(moment) - now()) / 1000;
}

/** "in 29 days", "3 minutes ago" */
export function relative(moment) {
  const seconds = secondsUntil(moment);
  const step = STEPS.find(([from]) => Math.abs(seconds) >= from);
  if (step === undefined) return seconds > 0 ? "in less than a minute" : "just now";
  const [, unit, size, round] = step;
  return RELATIVE.format(round(seconds / size), unit);
}

/** "24 Nov 2026, 04:10" */
export function exact(moment) {
  return EXACT.format(new Date(moment));
}

/** The moment in both ways. */
export function both(moment, { className = "" } = {}) {
  const title = FULL.format(new Date(moment));
  return [
    make("time", { className, dateTime: moment, textContent: relative(moment) }),
    make("time", { className: "below", dateTime: moment, textContent: exact(moment), title }),
  ];
}

/** Brings the relative times below an element up to date. */
export function refreshTimes(root) {
  for (const time of root.querySelectorAll("time:not(.below)")) time.textContent = relative(time.dateTime);
}

/** The end of a day in the reader's time zone, in RFC 3339. `day` is YYYY-MM-DD. */
export function endOfDay(day) {
  const [year, month, date] = day.split("-").map(Number);
  return rfc3339(new Date(year, month - 1, date, 23, 59, 59));
}

/** YYYY-MM-DD, so many days from now, in the reader's time zone. */
export function dayFromNow(days) {
  const day = new Date(now() + days * DAY * 1000);
  return [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

/** So many seconds from now, in RFC 3339. */
export function fromNow(seconds) {
  return rfc3339(new Date(now() + seconds * 1000));
}

function rfc3339(date) {
  return `${date.toISOString().slice(0, 19)}Z`;
}
