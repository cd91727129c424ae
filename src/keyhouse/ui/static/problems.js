/** Problems in words, and the panel that stands where a list could not be shown. */

import { make, stamp, tell } from "./dom.js";
import { SessionEnded } from "./session.js";
import { Problem } from "./wire.js";

const SAID = {
  403: ["You may not see this", "Ask an admin of the company if you need it."],
  404: ["There is nothing here any more", "It was removed, or you are no longer a member of the company."],
  503: ["Temporarily unavailable", "The server can’t answer for certain at the moment, so it does not answer."],
};

/** What to tell of a problem: a `title`, a `text`, and a `requestId` for whoever looks into it, or null. */
export function explain(problem) {
  if (!(problem instanceof Problem)) {
    console.error(problem);
    return { title: "Something went wrong on this page", text: "Reload it and try again.", requestId: null };
  }
  if (problem.kind === "unreachable") {
    return { title: "The server can’t be reached", text: "Check your connection and try again.", requestId: null };
  }
  if (problem.kind === "refused" && problem.status < 500 && !(problem.status in SAID)) {
    return { title: "That was refused", text: details(problem), requestId: null };
  }
  const [title, text] = SAID[problem.status] ?? ["Something went wrong on the server", "Try again. If it stays, tell whoever runs this server the request ID."];
  return { title, text, requestId: problem.status in SAID && problem.status < 500 ? null : problem.requestId };
}

/** One sentence about a change that failed, as nodes. */
export function sentence(problem) {
  if (problem.kind === "unreachable") {
    return ["The server did not answer. It may have done it all the same: look at the list before you try again."];
  }
  if (problem.status === 403) {
    const role = problem.errors[0]?.extra?.required_role;
    return [role ? `Only an ${role} may do this.` : "You may not do this any more."];
  }
  const { title, text, requestId } = explain(problem);
  const said = [problem.status < 500 && problem.kind === "refused" ? text : `${title}. ${text}`];
  if (requestId !== null) said.push(" Request ID ", make("code", { textContent: requestId }));
  return said;
}

/** The texts of a refusal. */
export function details(problem) {
  return problem.errors.map((entry) => entry.detail).join(" ");
}

/**
 * The panel of a problem. It tries again by itself when the server said when, and when the network is back.
 * @returns {{root: HTMLElement, close: () => void}} `close` stops that
 */
export function problemPanel(problem, retry) {
  const { title, text, requestId } = explain(problem);
  const view = stamp("panel");
  view.title.textContent = title;
  view.text.textContent = text;
  tell(view.requestId, requestId);
  view.request.hidden = requestId === null;
  view.root.setAttribute("role", "alert");
  if (problem.status === 404) view.actions.append(make("button", { type: "button", textContent: "Reload the page", onclick: () => location.reload() }));
  else if (problem.status !== 403) view.actions.append(make("button", { type: "button", textContent: "Try again", onclick: () => retry() }));
  const timer = problem.status === 503 ? setTimeout(retry, Math.max(2, problem.retryAfter ?? 5) * 1000) : undefined;
  const back = () => retry();
  if (problem.kind === "unreachable") addEventListener("online", back);
  return {
    root: view.root,
    close() {
      clearTimeout(timer);
      removeEventListener("online", back);
    },
  };
}

/** Whether an error only tells that the page is being left for the sign-in. */
export function isFarewell(error) {
  return error instanceof SessionEnded;
}
