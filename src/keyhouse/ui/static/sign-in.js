/** Signing in: on a page of its own, and above a page whose session has ended. */

import { stamp, tell } from "./dom.js";
import { open } from "./dialogs.js";
import { handle, say } from "./forms.js";
import { SessionEnded, signIn } from "./session.js";

/** Shows the sign-in; `done` is called once a session has begun. */
export function showSignIn(page, { note = null, done }) {
  const view = stamp("sign-in");
  tell(view.note, note);
  view.form.append(signInForm({ done }));
  page.replaceChildren(view.root);
  document.title = "Sign in · Keyhouse";
  page.querySelector("input").focus();
}

/**
 * Asks the same user to sign in again, above what is on the page, which stays as it is, covered.
 * @returns {{renewed: Promise<void>, close: () => void}} `renewed` is broken with `SessionEnded` when they leave
 *   instead; `close` takes the dialog away because the session was renewed elsewhere
 */
export function askAgain(email, leave) {
  const view = stamp("sign-in-again");
  const close = () => view.root.close("renewed");
  view.form.append(signInForm({ email, done: close }));
  view.leave.onclick = leave;
  const renewed = open(view.root).then((value) => { if (value !== "renewed") throw new SessionEnded(); });
  view.root.querySelector("#password").focus();
  return { renewed, close };
}

function signInForm({ email = null, done }) {
  const { root: form } = stamp("sign-in-form");
  if (email !== null) Object.assign(form.elements.email, { value: email, readOnly: true });
  handle(form, {
    done,
    send: () => signIn(form.elements.email.value, form.elements.password.value),
    failed(problem) {
      if (problem.status === 401) {
        say(form, ["E-mail or password is wrong."]);
        form.elements.password.select();
        return true;
      }
      if (problem.status !== 429) return false;
      countDown(form, problem.retryAfter ?? 60);
      return true;
    },
  });
  return form;
}

/** Keeps the form from being sent for so many seconds, and says how many are left. */
function countDown(form, seconds) {
  const button = form.querySelector("[type=submit]");
  const until = Date.now() + seconds * 1000;
  button.setAttribute("aria-disabled", "true");
  say(form, ["Too many tries. You can try again shortly."]);
  const label = button.textContent;
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left > 0 && form.isConnected) {
      button.textContent = `Try again in ${left > 90 ? `${Math.ceil(left / 60)} min` : `${left} s`}`;
      return;
    }
    clearInterval(timer);
    button.textContent = label;
    button.removeAttribute("aria-disabled");
    say(form, []);
  };
  const timer = setInterval(tick, 250);
  tick();
}
