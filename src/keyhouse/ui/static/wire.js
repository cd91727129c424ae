/** One exchange with the API: what goes over the wire and what can come back. */

import { noteServerTime } from "./times.js";

const BASE = new URL("api/v1/", document.baseURI);
const PATIENCE = 30_000;

/**
 * What went wrong. `kind` is "refused" (the API's error envelope), "unreachable" (no answer) or "broken" (an answer
 * that is none of the API's). `retryAfter` is in seconds.
 */
export class Problem extends Error {
  constructor(kind, { requestId = null, status = 0, errors = [], retryAfter = null } = {}) {
    super(`${kind} ${status}`);
    Object.assign(this, { kind, requestId, status, errors, retryAfter });
  }
}

/**
 * Sends a request and answers its JSON, null for none. Throws a `Problem`.
 * @param {string} method
 * @param {string} path below /api/v1/
 * @param {{body?: object, token?: string, keepalive?: boolean}} more `keepalive` outlives the page
 */
export async function send(method, path, { body, token, keepalive = false } = {}) {
  const id = newId();
  const headers = { Accept: "application/json", "X-Request-ID": id };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  let response;
  let text;
  try {
    response = await fetch(new URL(path, BASE), {
      method, headers, keepalive, body: JSON.stringify(body), cache: "no-store", credentials: "same-origin",
      redirect: "error", referrerPolicy: "no-referrer", signal: AbortSignal.timeout(PATIENCE),
    });
    text = await response.text();
  } catch {
    throw new Problem("unreachable", { requestId: id });
  }
  noteServerTime(response.headers.get("Date"));
  const requestId = response.headers.get("X-Request-ID") ?? id;
  const broken = new Problem("broken", { requestId, status: response.status });
  if (response.status === 204) return null;
  const value = parse(text, broken);
  if (response.ok) return value;
  if (!Array.isArray(value?.errors) || !value.errors.every(isEntry) || value.errors.length === 0) throw broken;
  const retryAfter = seconds(response.headers.get("Retry-After"));
  throw new Problem("refused", { requestId, status: response.status, errors: value.errors, retryAfter });
}

function parse(text, broken) {
  try {
    return JSON.parse(text);
  } catch {
    throw broken;
  }
}

function isEntry(entry) {
  return typeof entry?.code === "string" && typeof entry.detail === "string";
}

function seconds(header) {
  return /^\d{1,6}$/.test(header ?? "") ? Number(header) : null;
}

/** 128 random bits. `crypto.randomUUID` is only there over HTTPS and on the machine itself. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
