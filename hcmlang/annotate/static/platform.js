// Sends an answer to MTurk where the page was opened from there, and makes a file of it anywhere else.
"use strict";
const form = document.getElementById("task");
const asked = new URLSearchParams(window.location.search);
const assignment = asked.get("assignmentId");
const worker = asked.get("workerId") || asked.get("PROLIFIC_PID") || "";
const begun = performance.now();
const target = asked.get("turkSubmitTo");
const who = document.getElementById("worker");
const places = ["https://www.mturk.com", "https://workersandbox.mturk.com"];
if (assignment === "ASSIGNMENT_ID_NOT_AVAILABLE") {
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  document.getElementById("said").textContent = "This is a preview. Accept the task to work on it.";
}
// Where no platform says who answers, people are asked.
if (!worker && !(assignment && places.includes(target))) {
  who.disabled = false;
  document.getElementById("who").hidden = false;
}
for (const text of form.querySelectorAll("textarea[id^=text-]")) {
  const count = document.getElementById(text.id.replace("text-", "count-"));
  const tell = () => {
    const typed = text.value.trim();
    count.textContent = (typed ? typed.split(/\s+/).length : 0) + " words, " + typed.length + " characters";
  };
  text.addEventListener("input", tell);
  tell();
}
form.addEventListener("submit", event => {
  form.elements.seconds.value = ((performance.now() - begun) / 1000).toFixed(1);
  form.elements.assignmentId.value = assignment || "";
  if (assignment && places.includes(target)) {
    form.action = target + "/mturk/externalSubmit";
    return;
  }
  event.preventDefault();
  if (!worker && !who.value.trim()) {
    document.getElementById("said").textContent = "Say who you are first.";
    who.focus();
    return;
  }
  const answer = { worker: worker, assignment: asked.get("SESSION_ID") || "" };
  for (const [name, value] of new FormData(form, event.submitter)) {
    if (name !== "assignmentId") answer[name] = name === "evidence" ? [...(answer[name] || []), value] : value;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(answer) + "\n"], { type: "application/jsonl" }));
  link.download = "answer-" + answer.task + ".jsonl";
  link.click();
  document.getElementById("said").textContent = "Thank you. Send the file " + link.download + " to whoever asked you.";
});
