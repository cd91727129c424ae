/**
 * The session. The access token lives in this module's memory and nowhere else; the refresh token is in a cookie that
 * no script can read. What is remembered in localStorage is a random mark: that there is a session, and which.
 */

import { Problem, newId, send } from "./wire.js";

const MARK = "keyhouse.session";
const BEGUN = "keyhouse.refresh";
const MARGIN = 30;
const UNDER_WAY = 1000;

/** The session is over: sign in again. */
export class SessionEnded extends Error {}

let access = null;
let mark = remembered();
let refreshing = null;

/** The mark of the browser's session; null when nobody is signed in. */
export function remembered() {
  return localStorage.getItem(MARK);
}

/** Signs in, and tells the other tabs of it. Throws a `Problem`. */
export async function signIn(email, password) {
  keep(await send("POST", "auth/token/", { body: { email, password, session: "cookie" } }));
  mark = newId();
  localStorage.setItem(MARK, mark);
}

/** A live access token, as far as one can tell. Throws `SessionEnded` or a `Problem`. */
export async function accessToken() {
  if (access !== null && Date.now() < access.until) return access.token;
  refreshing ??= exclusively(refresh).finally(() => { refreshing = null; });
  return refreshing;
}

/** The server refused this access token: the next one comes from the cookie. */
export function distrust(token) {
  if (access?.token === token) access = null;
}

/** Ends the session, on the server first. Throws a `Problem` when that can't be confirmed. */
export async function signOut() {
  try {
    await send("POST", "auth/logout/", { token: await accessToken() });
  } catch (error) {
    if (!(error instanceof SessionEnded) && error.status !== 401) throw error;
  }
  forget();
}

/** Leaves a session that is over. */
export function forget() {
  access = null;
  if (remembered() === mark) localStorage.removeItem(MARK);
  mark = null;
}

/** Takes up the session that another tab began. */
export function adopt() {
  access = null;
  mark = remembered();
}

/** Calls back when another tab began (true) or ended (false) a session. */
export function whenChangedElsewhere(callback) {
  const compare = () => { if (remembered() !== mark) callback(remembered() !== null); };
  addEventListener("storage", (event) => { if (event.key === MARK || event.key === null) compare(); });
  // A page that the back button brings out of the browser's cache missed such events.
  addEventListener("pageshow", (event) => { if (event.persisted) compare(); });
}

async function refresh() {
  await othersAnswer();
  if (mark === null || remembered() !== mark) throw new SessionEnded();
  try {
    localStorage.setItem(BEGUN, Date.now());
    // It outlives the page: a reload must not lose the next cookie.
    keep(await send("POST", "auth/token/refresh/", { body: { session: "cookie" }, keepalive: true }));
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    access = null;
    throw new SessionEnded();
  } finally {
    localStorage.removeItem(BEGUN);
  }
  return access.token;
}

/** A page that was reloaded in the middle of a refresh leaves it to its answer, or the same cookie would go out again. */
async function othersAnswer() {
  const left = Number(localStorage.getItem(BEGUN)) + UNDER_WAY - Date.now();
  if (left > 0 && left <= UNDER_WAY) await new Promise((resolve) => { setTimeout(resolve, left); });
}

/** A refresh token serves once: of several tabs, one at a time. */
function exclusively(task) {
  return navigator.locks === undefined ? task() : navigator.locks.request(MARK, task);
}

function keep(answer) {
  if (typeof answer?.access_token !== "string" || typeof answer.expires_in !== "number") throw new Problem("broken");
  const margin = Math.min(MARGIN, answer.expires_in / 4);
  access = { token: answer.access_token, until: Date.now() + (answer.expires_in - margin) * 1000 };
}
