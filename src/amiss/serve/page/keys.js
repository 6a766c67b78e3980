// The keyboard: letters can be turned off, and never act while text is being written.

const KEY = "amiss-inspection-keys";
const MOVES = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

/** Listen. list, closer: what keys act on. box: turns letters on and off. help: the dialog that lists the keys. */
export function listen({ list, closer, box, help }) {
  try {
    box.checked = sessionStorage.getItem(KEY) !== "off";
  } catch { /* kept in memory */ }
  box.addEventListener("change", () => {
    try {
      sessionStorage.setItem(KEY, box.checked ? "on" : "off");
    } catch { /* kept in memory */ }
  });

  const step = (by) => list.step(by, !closer.covers());
  const letters = {
    j: () => step(1),
    k: () => step(-1),
    m: () => closer.toggle(),
    "?": () => help.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (key === "Escape" && closer.isOpen()) {
      closer.close();
      return;
    }
    if (target.matches("input, select, textarea")) return;
    const inHand = list.holdsFocus() || closer.holdsFocus();
    if (letters[key] && box.checked && list.element.isConnected) letters[key]();
    else if (inHand && MOVES[key]) step(MOVES[key]);
    else return;
    event.preventDefault();
  });
}
