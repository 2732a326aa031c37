"use strict";
// Light and dark: the system's choice until somebody presses the button. Canvas drawings are told by an event.

const theme = {
  get dark() {
    return document.documentElement.dataset.theme === "dark";
  },
  set(name) {
    document.documentElement.dataset.theme = name;
    document.getElementById("theme").setAttribute("aria-pressed", String(name === "dark"));
    document.dispatchEvent(new Event("themechange"));
  },
  start() {
    const system = matchMedia("(prefers-color-scheme: dark)");
    theme.set(system.matches ? "dark" : "light");
    system.addEventListener("change", () => theme.set(system.matches ? "dark" : "light"));
    document.getElementById("theme").addEventListener("click", () => theme.set(theme.dark ? "light" : "dark"));
  },
};

const cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
