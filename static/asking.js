// Questions about somebody: the address holds them, in the part that browsers do not send.
"use strict";
(() => {
  const MARK = "#ask=";
  const SECRET = "csrfmiddlewaretoken";

  const encode = (form) => {
    const fields = [...new FormData(form)].filter(([name]) => name !== SECRET);
    return MARK + encodeURIComponent(JSON.stringify(fields));
  };
  const decode = () => {
    if (!location.hash.startsWith(MARK)) return null;
    try {
      const fields = JSON.parse(decodeURIComponent(location.hash.slice(MARK.length)));
      return Array.isArray(fields) ? fields.filter((one) => Array.isArray(one) && one.length === 2).map((one) => one.map(String)) : null;
    } catch {
      return null;
    }
  };
  const fill = (form, fields) => {
    const wanted = (name) => fields.filter(([field]) => field === name).map(([, value]) => value);
    for (const input of form.elements) {
      if (!input.name || input.name === SECRET) continue;
      if (input.type === "checkbox") input.checked = wanted(input.name).includes(input.value);
      else if (wanted(input.name).length) input.value = wanted(input.name)[0];
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("form[data-asks]");
    if (!form) return;
    form.addEventListener("submit", () => history.replaceState(history.state, "", encode(form)));
    const fields = decode();
    if (!fields) return;
    fill(form, fields);
    form.requestSubmit();
  });
})();
