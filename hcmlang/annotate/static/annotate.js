// Counts the seconds of work (idle ones left out), keeps a task alive while somebody works on it, answers to single keys, and
// says when the server does not answer.
"use strict";

// A form that was refused is shown again at its own address; a reload must not send it a second time. And what was just done is
// said once: whoever reloads, or comes back, has not done it again.
const { pathname, search } = window.location;
if (pathname === "/answer") window.history.replaceState(null, "", "/work");
else if (search) window.history.replaceState(null, "", pathname);

const IDLE = 60; // seconds without a sign of somebody
const BEAT = 60; // seconds between two signs to the server

const trouble = document.getElementById("trouble");
const say = text => { if (trouble.textContent !== text) trouble.textContent = text; };
const GONE = "The server does not answer. What you typed is still here: leave this page open, and send it when the server is back.";
let watching = 0;

// Whether the server is there; where not, that is said until it is.
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
    say("The server is back. Send what you have now.");
  }
  return there;
};

// What is heard of a text: a summary, once nothing has been typed for a second, and only where it says something new.
let pause = 0;
const tell = () => {
  const told = document.querySelector("#feedback [data-heard]");
  const heard = document.getElementById("heard");
  const text = told ? told.dataset.heard : "";
  if (heard.textContent !== text) heard.textContent = text;
};
document.addEventListener("input", () => clearTimeout(pause));

for (const event of ["htmx:sendError", "htmx:timeout"]) document.body.addEventListener(event, reach);
document.body.addEventListener("htmx:responseError", event =>
  say("What you typed could not be kept on the server (" + event.detail.xhr.status + "): it is still here. Reload the page, or tell whoever runs the server."));
document.body.addEventListener("htmx:afterSwap", () => {
  if (!watching) say("");
  const broken = document.querySelector("#feedback .broken");
  for (const text of document.querySelectorAll("#task textarea[id^=text-]")) {
    if (broken) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
  }
  clearTimeout(pause);
  pause = setTimeout(tell, 1000);
});

// A form is sent only to a server that is there: a browser's own page about one that is not would take the place of this one.
let asking = false;
const send = async event => {
  event.preventDefault();
  if (asking) return;
  asking = true;
  const { target, submitter } = event;
  if (await reach()) {
    document.removeEventListener("submit", send);
    target.requestSubmit(submitter);
  }
  asking = false;
};
document.addEventListener("submit", send);

const counter = document.querySelector("input[name=active]");
if (counter) {
  const form = counter.form;
  let seconds = Number(counter.dataset.seconds) || 0;
  let seen = performance.now();
  let last = seen;
  let told = seen;
  let worked = false;
  const tick = () => {
    const now = performance.now();
    const awake = document.visibilityState === "visible" && now - seen < IDLE * 1000;
    if (awake) seconds += Math.min(now - last, 5000) / 1000;
    last = now;
    counter.value = seconds.toFixed(1);
    if (awake && worked && now - told > BEAT * 1000 && form.hasAttribute("hx-post")) {
      told = now;
      worked = false;
      window.htmx.trigger(form, "beat");
    }
  };
  for (const sign of ["keydown", "pointerdown", "pointermove", "scroll", "focus"]) {
    window.addEventListener(sign, () => { tick(); seen = performance.now(); worked = true; }, { passive: true });
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
    const wanted = others[event.key.toLowerCase()] || (/^[1-9]$/.test(event.key) ? `button[data-key="${event.key}"]` : "");
    const button = wanted && document.querySelector(wanted);
    if (button && !button.disabled) {
      event.preventDefault();
      button.click();
    }
  });
}
