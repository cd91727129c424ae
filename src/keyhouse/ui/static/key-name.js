/** Names of keys: as the API counts them, in characters, of which an emoji is one. */

const LONGEST = 100;

/** Makes the form refuse a name that the API would find too long. */
export function limitName(input) {
  const check = () => {
    const over = [...input.value.trim()].length - LONGEST;
    input.setCustomValidity(over > 0 ? `Too long by ${over} ${over === 1 ? "character" : "characters"}: at most ${LONGEST}.` : "");
  };
  input.addEventListener("input", check);
  check();
}
