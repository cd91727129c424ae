/** The frame around the sections: company, sections, and the user with their menu. */

import { stamp, tell } from "./dom.js";
import { closeMenu, isOpen, menu, openMenu } from "./menu.js";

const LEAVE = 250;

/** The address of a section of a company. */
export function address(companyId, section) {
  return `#/companies/${companyId}/${section}`;
}

/**
 * Shows the frame.
 * @param {{user: {email: string}, companies: Array<{id: string, name: string, role: string}>, signOut: () => void}} context
 * @returns {{main: HTMLElement, mark: (company: object, section: string) => void}} `mark` tells what is shown in `main`
 */
export function showShell(page, { user, companies, signOut }) {
  const view = stamp("shell");
  const several = companies.length > 1;
  Object.assign(view.email, { textContent: user.email, title: user.email });
  view.initial.textContent = [...user.email][0];
  view.companies.hidden = !several;
  view.companyLabel.hidden = !several;
  view.companies.append(...companies.map(({ id, name }) => new Option(name, id)));
  view.skip.onclick = (event) => {
    event.preventDefault();
    view.main.focus();
  };

  let shown = { company: companies[0] ?? null, section: "api-keys" };
  view.companies.onchange = () => { location.hash = address(view.companies.value, shown.section); };
  userMenu(view.user, () => [
    ...(shown.company ? [{ label: "API Keys", choose: () => { location.hash = address(shown.company.id, "api-keys"); } }] : []),
    { label: "Sign out", choose: signOut },
  ]);
  page.replaceChildren(view.root);

  return {
    main: view.main,
    mark(company, section) {
      shown = { company, section };
      view.role.textContent = { admin: "Admin", member: "Member" }[company?.role] ?? "";
      tell(view.company, several ? null : company?.name);
      view.nav.hidden = company === null;
      if (several) view.companies.value = company.id;
      for (const link of view.nav.querySelectorAll("a")) {
        link.hidden = link.dataset.section === "audit-events" && company?.role !== "admin";
        link.href = address(company?.id, link.dataset.section);
        if (link.dataset.section === section) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    },
  };
}

/** Opens on hovering, on focus by keyboard, and on a click or tap. */
function userMenu(button, items) {
  let leaving;
  let returning = false;
  let clicked = false;
  const show = (focus) => {
    clearTimeout(leaving);
    openMenu(button, "Your account", items(), { focus });
  };
  const leave = () => {
    clearTimeout(leaving);
    leaving = setTimeout(() => { if (isOpen(button) && !clicked && !menu.contains(document.activeElement)) closeMenu(); }, LEAVE);
  };
  const hovers = (event) => event.pointerType === "mouse";

  button.addEventListener("pointerenter", (event) => { if (hovers(event)) show(false); });
  button.addEventListener("pointerleave", leave);
  menu.addEventListener("pointerenter", () => clearTimeout(leaving));
  menu.addEventListener("pointerleave", () => { if (isOpen(button)) leave(); });
  button.addEventListener("click", (event) => {
    clicked = true;
    show(event.detail === 0);
  });
  button.addEventListener("focus", () => { if (!returning && button.matches(":focus-visible")) show(false); });
  button.addEventListener("blur", () => { returning = false; });
  button.addEventListener("menuclosed", () => {
    returning = true;
    clicked = false;
  });
  button.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      show(true);
    } else if (event.key === "Tab") {
      closeMenu();
    }
  });
}
