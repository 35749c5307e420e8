// Counts working time without idle time, keeps the lease of a task while the annotator works on it, handles single-key
// shortcuts, and reports when the server does not respond.
"use strict";

// A rejected form is shown at /answer; a reload must not send it again. And a message appears once: after a reload it would be
// wrong.
const { pathname, search } = window.location;
if (pathname === "/answer") window.history.replaceState(null, "", "/work");
else if (search) window.history.replaceState(null, "", pathname);

const IDLE = 60; // seconds without activity that count as idle
const BEAT = 60; // seconds between two messages to the server

const trouble = document.getElementById("trouble");
const say = text => { if (trouble.textContent !== text) trouble.textContent = text; };
const GONE = "The server does not respond. Your text is still here: keep this page open and send it when the server is back.";
let watching = 0;

// Check whether the server responds. If not, say so until it does.
const reach = async () => {
  let there = false;
  try {
    there = (await fetch("/static/icon.svg", { cache: "no-store", signal: AbortSignal.timeout(5000) })).ok;
  } catch { there = false; }
  if (!there) {
    say(GONE);
    watching = watching || setInterval(reach, 3000);
  } else if (watching) {
    clearInterval(watching);
    watching = 0;
    say("The server is back. You can send your answer now.");
  }
  return there;
};

// Announce feedback to screen readers: a summary, one second after the last key, and only if it changed.
let pause = 0;
const announce = () => {
  const summary = document.querySelector("#feedback [data-heard]");
  const heard = document.getElementById("heard");
  const text = summary ? summary.dataset.heard : "";
  if (heard.textContent !== text) heard.textContent = text;
};
document.addEventListener("input", () => clearTimeout(pause));

for (const event of ["htmx:sendError", "htmx:timeout"]) document.body.addEventListener(event, reach);
document.body.addEventListener("htmx:responseError", event =>
  say("The server could not keep your draft (" + event.detail.xhr.status + "), but it is still here. Reload the page, or tell the person who runs the server."));
document.body.addEventListener("htmx:afterSwap", () => {
  if (!watching) say("");
  const broken = document.querySelector("#feedback .broken");
  for (const text of document.querySelectorAll("#task textarea[id^=text-]")) {
    if (broken) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
  }
  clearTimeout(pause);
  pause = setTimeout(announce, 1000);
});

// Send a form only if the server responds. Otherwise the browser's own error page would replace this one.
let sending = false;
const send = async event => {
  event.preventDefault();
  if (sending) return;
  sending = true;
  const { target, submitter } = event;
  if (await reach()) {
    document.removeEventListener("submit", send);
    target.requestSubmit(submitter);
  }
  sending = false;
};
document.addEventListener("submit", send);

const counter = document.querySelector("input[name=active]");
if (counter) {
  const form = counter.form;
  let seconds = Number(counter.dataset.seconds) || 0;
  let seen = performance.now();
  let last = seen;
  let sent = seen;
  let worked = false;
  const tick = () => {
    const now = performance.now();
    const awake = document.visibilityState === "visible" && now - seen < IDLE * 1000;
    if (awake) seconds += Math.min(now - last, 5000) / 1000;
    last = now;
    counter.value = seconds.toFixed(1);
    if (awake && worked && now - sent > BEAT * 1000 && form.hasAttribute("hx-post")) {
      sent = now;
      worked = false;
      window.htmx.trigger(form, "beat");
    }
  };
  for (const activity of ["keydown", "pointerdown", "pointermove", "scroll", "focus"]) {
    window.addEventListener(activity, () => { tick(); seen = performance.now(); worked = true; }, { passive: true });
  }
  setInterval(tick, 1000);
  form.addEventListener("submit", tick);
  form.addEventListener("htmx:configRequest", tick);
  window.addEventListener("pageshow", event => { if (event.persisted) window.location.reload(); });
}

const keys = document.getElementById("keys");
if (keys) {
  keys.checked = window.localStorage.getItem("keys") !== "off";
  keys.addEventListener("change", () => window.localStorage.setItem("keys", keys.checked ? "on" : "off"));
  document.addEventListener("keydown", event => {
    if (!keys.checked || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const others = { u: "#undo button", s: "#skip button" };
    const selector = others[event.key.toLowerCase()] || (/^[1-9]$/.test(event.key) ? `button[data-key="${event.key}"]` : "");
    const button = selector && document.querySelector(selector);
    if (button && !button.disabled) {
      event.preventDefault();
      button.click();
    }
  });
}
