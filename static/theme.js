// Runs before the page is drawn, so that nobody sees the other theme flash by.
"use strict";
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const wanted = () => localStorage.getItem("aviary-theme") || "system";
  const apply = () => {
    const theme = wanted() === "system" ? (system.matches ? "dark" : "light") : wanted();
    document.documentElement.dataset.bsTheme = theme;
  };
  system.addEventListener("change", apply);
  window.aviaryTheme = {
    wanted,
    next() {
      const order = ["system", "light", "dark"];
      localStorage.setItem("aviary-theme", order[(order.indexOf(wanted()) + 1) % order.length]);
      apply();
    },
  };
  apply();
})();
