// What the pages need beyond htmx: dialogs, notices, local times, copying, the theme.
"use strict";
(() => {
  const dialog = () => document.getElementById("dialog");

  // Dialogs: whatever htmx puts into #dialog is shown; an empty one is closed.
  let openedBy = "";
  const settleDialog = () => {
    const box = dialog();
    if (box.childElementCount && !box.open) {
      openedBy = document.activeElement?.id ?? "";
      box.showModal();
    }
    if (!box.childElementCount && box.open) box.close();
  };
  // The browser returns the focus to the element that opened the dialog, unless it was replaced.
  const dialogClosed = () => {
    dialog().replaceChildren();
    const opener = document.getElementById(openedBy);
    if (document.activeElement === document.body) (opener && !opener.disabled ? opener : document.getElementById("main")).focus();
  };
  const closeDialog = () => {
    dialog().close();
  };

  // Times: in the reader's zone, with UTC on hover.
  const formatter = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const localTimes = (root) => {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      if (time.closest("[data-utc]")) continue; // for the record: the same for every reader
      time.title = `${time.dateTime.replace("T", " ").slice(0, 19)} UTC`;
      time.textContent = formatter.format(new Date(time.dateTime));
      time.dataset.local = "";
    }
  };

  // Countdowns: how long until something happens by itself; the time itself shows without scripts.
  const countDown = () => {
    for (const place of document.querySelectorAll("[data-countdown]")) {
      const left = Math.floor((new Date(place.dataset.countdown) - Date.now()) / 1000);
      const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60].map((part) => String(part).padStart(2, "0"));
      place.textContent = left > 0 ? `${hours}:${minutes}:${seconds}` : place.dataset.over;
    }
  };
  // The server cannot know the reader's zone: it is offered beside UTC.
  const offerOwnZone = (select) => {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (own && ![...select.options].some((option) => option.value === own)) select.add(new Option(own, own));
  };

  // Notices go by themselves, but not while someone reads them or is about to press Undo.
  const NOTICE_MS = 10000;
  const watchNotice = (notice) => {
    if (notice.dataset.watched !== undefined) return;
    notice.dataset.watched = "";
    // Old news goes at once: what was said before of the same thing, and what fills the corner.
    const told = [...document.querySelectorAll("[data-notice]")].filter((other) => other !== notice && other.dataset.stays === undefined);
    const stale = told.filter((other) => notice.dataset.about && other.dataset.about === notice.dataset.about);
    for (const other of stale.length ? stale : told.slice(0, -2)) other.remove();
    if (notice.dataset.stays !== undefined) return;
    let timer;
    const start = () => (timer = setTimeout(() => notice.remove(), NOTICE_MS));
    const hold = () => clearTimeout(timer);
    notice.addEventListener("pointerenter", hold);
    notice.addEventListener("pointerleave", start);
    notice.addEventListener("focusin", hold);
    notice.addEventListener("focusout", start);
    start();
  };

  // A flag's key is proposed from its name until someone types one.
  const kebab = (text) =>
    text.replaceAll("ß", "ss").normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  const proposeKey = (input) => {
    const key = document.getElementById(input.dataset.proposes);
    if (key && !key.dataset.typed) key.value = kebab(input.value);
  };

  const showTheme = () => {
    for (const name of document.querySelectorAll("[data-theme-name]")) name.textContent = window.aviaryTheme.wanted();
  };

  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    const label = button.querySelector("[data-copy-label]") ?? button;
    const before = label.textContent;
    label.textContent = button.dataset.copied ?? "Copied";
    setTimeout(() => (label.textContent = before), 1500);
  };

  // The sample user beside the targeting form is kept in this tab and nowhere else, and asked about
  // anew whenever the form or the sample changes.
  const sampleForm = () => document.getElementById("sample");
  const keptSample = () => JSON.parse(sessionStorage.getItem(`aviary-sample-${sampleForm().dataset.keepSample}`) ?? "{}");
  const askAboutSample = () => sampleForm() && window.htmx.trigger(sampleForm(), "sample-changed");
  const keepSample = () => {
    const kept = keptSample();
    for (const input of sampleForm().querySelectorAll("[data-keep]")) kept[input.dataset.keep] = input.value;
    sessionStorage.setItem(`aviary-sample-${sampleForm().dataset.keepSample}`, JSON.stringify(kept));
  };
  const restoreSample = () => {
    if (!sampleForm()) return;
    const kept = keptSample();
    const inputs = [...sampleForm().querySelectorAll("[data-keep]")].filter((input) => input.value !== (kept[input.dataset.keep] ?? ""));
    for (const input of inputs) input.value = kept[input.dataset.keep] ?? "";
    if (inputs.length) askAboutSample();
  };

  // A moment is picked in the reader's zone and written in UTC.
  const writeInstant = (picker) => {
    const picked = new Date(picker.value);
    const input = document.getElementById(picker.dataset.instantFor);
    if (!input || Number.isNaN(picked.getTime())) return;
    input.value = picked.toISOString().replace(".000Z", "Z");
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // Rules are dragged by their handles, with mouse or finger; the arrows do the same by keyboard.
  let drag;
  const [DRAG_EDGE, DRAG_DEPTH] = [90, 40];
  // A rule gives way as soon as one is a little into it: rules may be taller than the window.
  const isPassed = (rule, at) => {
    const { top, bottom } = rule.getBoundingClientRect();
    return drag.y > (at < drag.from ? bottom - DRAG_DEPTH : top + DRAG_DEPTH);
  };
  const followDrag = () => {
    if (drag.y < DRAG_EDGE) scrollBy(0, -16);
    if (drag.y > innerHeight - DRAG_EDGE) scrollBy(0, 16);
    drag.to = drag.others.filter(isPassed).length;
    drag.others.forEach((rule, at) => {
      rule.classList.toggle("drop-before", at === drag.to && drag.to !== drag.from);
      rule.classList.toggle("drop-after", at === drag.others.length - 1 && drag.to > at && drag.to !== drag.from);
    });
  };
  const startDrag = (event, handle) => {
    const rules = [...handle.closest("form").querySelectorAll("[data-rule]")];
    const rule = handle.closest("[data-rule]");
    const from = rules.indexOf(rule);
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
    drag = { handle, rules, others: rules.filter((other) => other !== rule), from, to: from, y: event.clientY };
    drag.timer = setInterval(followDrag, 30);
    rule.classList.add("dragged");
  };
  const endDrag = (dropped) => {
    followDrag();
    const { handle, rules, from, to, timer } = drag;
    clearInterval(timer);
    drag = undefined;
    for (const rule of rules) rule.classList.remove("dragged", "drop-before", "drop-after");
    if (!dropped || from === to) return;
    handle.setAttribute("hx-vals", JSON.stringify({ do: `drop:${handle.dataset.drag}@${to}` }));
    window.htmx.trigger(handle, "dropped");
  };
  document.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest("[data-drag]");
    if (handle && event.button === 0) startDrag(event, handle);
  });
  document.addEventListener("pointermove", (event) => drag && (drag.y = event.clientY));
  document.addEventListener("pointerup", () => drag && endDrag(true));
  document.addEventListener("pointercancel", () => drag && endDrag(false));

  const prepare = (root) => {
    localTimes(root);
    restoreSample();
    countDown();
    root.querySelectorAll("[data-notice]").forEach(watchNotice);
    root.querySelectorAll("select[data-own-zone]").forEach(offerOwnZone);
    // Widths of bars are set here: the content security policy forbids style attributes.
    for (const bar of root.querySelectorAll("[data-percent]")) bar.style.width = `${bar.dataset.percent}%`;
  };

  document.addEventListener("DOMContentLoaded", () => {
    // Calendars are laid out by days, and so by the server: it has to know the reader's zone.
    document.cookie = `aviary_zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax`;
    prepare(document);
    setInterval(countDown, 1000);
    showTheme();
    dialog().addEventListener("close", dialogClosed);
    dialog().addEventListener("click", (event) => event.target === dialog() && closeDialog());
  });
  // Where what had the focus is gone after a swap, or disabled, the page has it.
  let hadFocus = false;
  document.addEventListener("htmx:beforeSwap", (event) => (hadFocus = document.activeElement !== document.body && event.detail.target.contains(document.activeElement)));
  document.addEventListener("htmx:afterSettle", (event) => {
    prepare(document);
    settleDialog();
    if (event.detail.elt?.id === "targeting") {
      askAboutSample();
      // What a button of the form did, for who does not see it; the region itself is never replaced.
      const said = document.getElementById("said");
      if (said) said.textContent = event.detail.elt.dataset.said ?? "";
    }
    // What is new in a live part, likewise; what was said before is not said again.
    const says = event.detail.elt?.querySelector?.("[data-says]")?.dataset.says;
    const heard = document.getElementById("said");
    if (says && heard && heard.textContent !== says) heard.textContent = says;
    const wanted = document.querySelector("[data-focus]");
    if (wanted) {
      wanted.removeAttribute("data-focus");
      wanted.focus();
    }
    if (hadFocus && document.activeElement === document.body && !dialog().open) document.getElementById("main").focus({ preventScroll: true });
    hadFocus = false;
  });
  // Live refreshes wait while someone is in a dialog, or has clicked something that they would
  // replace: the answer to that click needs the element it came from. The next one brings it all.
  const mustWait = (part) => part.dataset?.live !== undefined && (dialog().open || part.querySelector(".htmx-request:not(.arrival)") !== null);
  document.addEventListener("htmx:beforeRequest", (event) => mustWait(event.detail.elt) && event.preventDefault());
  document.addEventListener("htmx:beforeSwap", (event) => mustWait(event.detail.requestConfig.elt) && event.preventDefault());
  // A search is one entry of the browser's history, however often the list is drawn while one types.
  document.addEventListener("htmx:configRequest", (event) => {
    const { elt: form, triggeringEvent: cause } = event.detail;
    if (!form.matches("form.filters[hx-push-url]")) return;
    const texts = [...form.querySelectorAll("input[type=search],input[type=text],input:not([type])")];
    const typed = cause?.type === "submit" ? texts : texts.filter((input) => input === cause?.target);
    const known = new URLSearchParams(location.search);
    const goesOn = typed.some((input) => known.get(input.name));
    form.setAttribute("hx-push-url", !goesOn);
    form.setAttribute("hx-replace-url", goesOn);
  });
  // What was unfolded in a live part stays so when it is drawn anew.
  let unfolded = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.dataset?.live !== undefined) unfolded = [...event.detail.target.querySelectorAll("details[open][id]")].map((part) => part.id);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
    unfolded = [];
  });
  // A form that its own buttons rearrange: what was typed meanwhile stays, and a review under way
  // is not taken the form from under it.
  let typedMeanwhile = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    const form = event.detail.target;
    if (!form.matches("form[data-warn-unsaved]")) return;
    const { elt, formData: sent } = event.detail.requestConfig;
    if (elt !== form && form.classList.contains("htmx-request")) event.preventDefault();
    const renumbered = /^(remove|up|down|drop|merge)/.test(sent.get("do") ?? "");
    const typed = [...form.querySelectorAll("input[name]:not([type]),input[type=text],textarea[name],select[data-redraws]")].filter((input) => sent.has(input.name) && sent.get(input.name) !== input.value);
    typedMeanwhile = renumbered ? [] : typed.map((input) => [input.name, input.value]);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const [name, value] of typedMeanwhile) {
      const input = document.querySelector(`form[data-warn-unsaved] [name="${CSS.escape(name)}"]`);
      if (!input) continue;
      input.value = value;
      if (input.dataset.redraws !== undefined) chosenMeanwhile.push(input);
    }
    typedMeanwhile = [];
  });
  // What was chosen meanwhile redraws the form itself, once htmx knows the new one.
  let chosenMeanwhile = [];
  document.addEventListener("htmx:afterSettle", () => {
    const chosen = chosenMeanwhile;
    chosenMeanwhile = [];
    for (const input of chosen) input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  // What was ticked in the list stays ticked when it is drawn anew.
  let ticked = [];
  const ticks = () => document.querySelectorAll("input[type=checkbox][data-tick]");
  const showTicks = () => {
    const count = [...ticks()].filter((box) => box.name === "flag" && box.checked).length;
    for (const place of document.querySelectorAll("[data-ticked]")) place.textContent = count;
    for (const bar of document.querySelectorAll("[data-with-ticks]")) bar.hidden = ![...ticks()].some((box) => box.checked);
  };
  document.addEventListener("htmx:beforeSwap", () => (ticked = [...ticks()].filter((box) => box.checked).map((box) => `${box.name} ${box.value}`)));
  document.addEventListener("htmx:afterSwap", () => {
    for (const box of ticks()) if (ticked.includes(`${box.name} ${box.value}`)) box.checked = true;
    showTicks();
  });
  window.addEventListener("pageshow", showTicks); // a browser that goes back ticks again what was ticked
  document.addEventListener("aviary:unselect", () => {
    for (const box of ticks()) box.checked = false;
    ticked = [];
    showTicks();
  });
  document.addEventListener("change", (event) => {
    if (event.target.dataset?.tickAll !== undefined) for (const box of ticks()) if (box.name === "flag") box.checked = event.target.checked;
    showTicks();
  });
  const addTag = (button) => {
    const input = document.getElementById(button.dataset.into);
    const tags = input.value.split(",").map((tag) => tag.trim()).filter(Boolean);
    if (!tags.includes(button.dataset.addTag)) input.value = [...tags, button.dataset.addTag].join(", ");
    input.focus();
  };
  // Each refresh finds out anew that the session has ended; it is said once.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status === 401 && document.querySelector("[data-signed-out]")) event.preventDefault();
  });
  document.addEventListener("htmx:sendError", () => notify(document.body.dataset.offline ?? "The server does not answer. Nothing was saved; try again."));

  // Uploads: how far the file has come, then that it is being read.
  const uploadOf = (event) => (event.detail.elt?.matches?.("form[data-upload]") ? event.detail.elt.querySelector(".upload") : null);
  const showUpload = (box, bar, said) => {
    box.hidden = false;
    bar(box.querySelector("progress"));
    const words = box.querySelector("[role=status]");
    if (words.textContent !== words.dataset[said]) words.textContent = words.dataset[said];
  };
  document.addEventListener("htmx:xhr:progress", (event) => {
    const [box, { loaded, total }] = [uploadOf(event), event.detail];
    if (!box || !total) return;
    if (loaded < total) showUpload(box, (bar) => (bar.value = (loaded / total) * 100), "sending");
    else showUpload(box, (bar) => bar.removeAttribute("value"), "reading");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const box = uploadOf(event);
    if (box) box.hidden = true;
  });

  const notify = (text) => {
    if (document.querySelector("[data-offline]")) return;
    const box = document.createElement("div");
    box.className = "notice card notice-error";
    box.dataset.notice = "";
    box.dataset.offline = "";
    box.textContent = text;
    document.getElementById("notices").append(box);
    watchNotice(box);
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-close-dialog],[data-dismiss-notice],[data-copy],[data-theme-switch],[data-add-tag],[data-print]");
    if (!target) return;
    if (target.dataset.closeDialog !== undefined) closeDialog();
    if (target.dataset.dismissNotice !== undefined) target.closest("[data-notice]").remove();
    if (target.dataset.copy !== undefined) copy(target);
    if (target.dataset.addTag !== undefined) addTag(target);
    if (target.dataset.print !== undefined) window.print();
    if (target.dataset.themeSwitch !== undefined) {
      window.aviaryTheme.next();
      showTheme();
    }
  });
  document.addEventListener("input", (event) => {
    const input = event.target;
    if (input.dataset?.proposes) proposeKey(input);
    if (input.dataset?.keyInput !== undefined) input.dataset.typed = "1";
    const form = input.closest?.("form[data-warn-unsaved]");
    if (form) form.dataset.edited = "1";
    if (input.form?.id === "sample") keepSample();
    if (input.form?.id === "sample" || form?.id === "targeting") askAboutSample();
  });
  document.addEventListener("change", (event) => {
    if (event.target.dataset?.instantFor) writeInstant(event.target);
  });
  // Never lose a half-written form.
  addEventListener("beforeunload", (event) => {
    const form = document.querySelector("form[data-warn-unsaved][data-edited='1']");
    if (form && !form.dataset.leaving) event.preventDefault();
  });
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.getResponseHeader("HX-Redirect")) {
      for (const form of document.querySelectorAll("form[data-warn-unsaved]")) form.dataset.leaving = "1";
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input,textarea,select,[contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });
})();
