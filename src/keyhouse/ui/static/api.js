/** The API, as the page uses it. Every function throws a `Problem` when it did not get what it asked for. */

import { SessionEnded, accessToken, distrust } from "./session.js";
import { Problem, send } from "./wire.js";

export const PAGE_SIZE = 50;
const MOST = 200;

let again = async () => { throw new SessionEnded(); };
let signingInAgain = null;

/** `signInAgain` is called when the session has ended; when its promise is kept, what was asked for is asked again. */
export function whenSessionEnds(signInAgain) {
  again = signInAgain;
}

async function call(method, path, body) {
  for (let refused = false; ;) {
    let token;
    try {
      token = await accessToken();
    } catch (error) {
      if (!(error instanceof SessionEnded)) throw error;
      signingInAgain ??= again().finally(() => { signingInAgain = null; });
      await signingInAgain;
      continue;
    }
    try {
      return await send(method, path, { body, token });
    } catch (problem) {
      if (problem.status !== 401 || refused) throw problem;
      refused = true;
      distrust(token);
    }
  }
}

function expect(holds) {
  if (!holds) throw new Problem("broken");
}

async function list(path, isItem) {
  const page = await call("GET", path);
  expect(Array.isArray(page?.results) && page.results.every(isItem));
  return page;
}

function isKey(key) {
  return typeof key?.id === "string" && typeof key.name === "string" && Array.isArray(key.scopes);
}

const keysOf = (company) => `companies/${company}/api-keys/`;
const query = (cursor, limit = PAGE_SIZE) => `limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;

/** Who is signed in, their companies, and the scopes that a key of full access has. */
export async function me() {
  const answer = await call("GET", "auth/me/");
  expect(typeof answer?.user?.email === "string" && Array.isArray(answer.companies));
  return { user: answer.user, companies: answer.companies, scopes: answer.credential?.scopes ?? [] };
}

export function listKeys(company, cursor) {
  return list(`${keysOf(company)}?${query(cursor)}`, isKey);
}

/** The newest keys, dead ones too: what audit events speak of. */
export function listAllKeys(company) {
  return list(`${keysOf(company)}?status=active&status=expired&status=revoked&${query(null, MOST)}`, isKey);
}

export function listEvents(company, cursor) {
  return list(`companies/${company}/audit-events/?${query(cursor)}`, (event) => typeof event?.action === "string");
}

/** The new key with its `token`. */
export async function createKey(company, body) {
  const key = await call("POST", keysOf(company), body);
  expect(isKey(key) && typeof key.token === "string");
  return key;
}

export async function renameKey(company, id, name) {
  const key = await call("PATCH", `${keysOf(company)}${id}/`, { name });
  expect(isKey(key));
  return key;
}

/** The successor with its `token`. */
export async function rotateKey(company, id, body) {
  const key = await call("POST", `${keysOf(company)}${id}/rotate/`, body);
  expect(isKey(key) && typeof key.token === "string");
  return key;
}

/** Returns once the key is dead everywhere. */
export async function deleteKey(company, id) {
  await call("DELETE", `${keysOf(company)}${id}/`);
}
