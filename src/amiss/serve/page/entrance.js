// The way in where the server wants a token.

import { hasToken, setToken } from "./server.js";

const get = (id) => document.getElementById(id);

export const tell = (sentence) => (get("entrance-said").textContent = sentence);

/** Ask for a token; one that was given is not the server's. */
export function shut() {
  get("entrance").hidden = false;
  tell(hasToken() ? "The server does not take this token." : "");
  setToken("");
  get("token").focus();
}

/** The server answers: no token is wanted, or the right one is known. */
export function open() {
  get("entrance").hidden = true;
  get("forget").hidden = !hasToken();
}

/** Listen for tokens. tried: told that there is one to try; entered: told that the server has taken it. */
export function listenForToken({ tried, entered }) {
  get("entrance").addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = get("token").value.trim();
    if (!/^[\x21-\x7e]+$/.test(given)) {
      tell("A token is ASCII characters without spaces.");
      return;
    }
    setToken(given);
    await tried();
    if (!get("entrance").hidden) return;
    get("token").value = "";
    get("choose").focus();
    entered();
  });
  get("forget").addEventListener("click", () => {
    setToken("");
    location.reload();
  });
}
