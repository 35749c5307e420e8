// Counts the seconds of work (idle ones left out), keeps a task alive while somebody works on it, and answers to single keys.
"use strict";

// A form that was refused is shown again at its own address; a reload must not send it a second time.
if (window.location.pathname === "/answer") window.history.replaceState(null, "", "/work");

const IDLE = 60; // seconds without a sign of somebody
const BEAT = 60; // seconds between two signs to the server

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
  // A second press of a button does not send a second time.
  form.addEventListener("submit", () => setTimeout(() => {
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  }));
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
