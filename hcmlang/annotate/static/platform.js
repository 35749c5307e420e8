// Sends the answer to MTurk if MTurk opened the page, and otherwise saves it as a file.
"use strict";
const form = document.getElementById("task");
const query = new URLSearchParams(window.location.search);
const assignment = query.get("assignmentId");
const worker = query.get("workerId") || query.get("PROLIFIC_PID") || "";
const started = performance.now();
const target = query.get("turkSubmitTo");
const who = document.getElementById("worker");
const places = ["https://www.mturk.com", "https://workersandbox.mturk.com"];
if (assignment === "ASSIGNMENT_ID_NOT_AVAILABLE") {
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  document.getElementById("said").textContent = "This is a preview. Accept the task to start.";
}
// If no platform says who answers, ask for a name.
if (!worker && !(assignment && places.includes(target))) {
  who.disabled = false;
  document.getElementById("who").hidden = false;
}
for (const text of form.querySelectorAll("textarea[id^=text-]")) {
  const count = document.getElementById(text.id.replace("text-", "count-"));
  const update = () => {
    const typed = text.value.trim();
    count.textContent = (typed ? typed.split(/\s+/).length : 0) + " words, " + typed.length + " characters";
  };
  text.addEventListener("input", update);
  update();
}
form.addEventListener("submit", event => {
  form.elements.seconds.value = ((performance.now() - started) / 1000).toFixed(1);
  form.elements.assignmentId.value = assignment || "";
  if (assignment && places.includes(target)) {
    form.action = target + "/mturk/externalSubmit";
    return;
  }
  event.preventDefault();
  if (!worker && !who.value.trim()) {
    document.getElementById("said").textContent = "Enter your name or id first.";
    who.focus();
    return;
  }
  const answer = { worker: worker, assignment: query.get("SESSION_ID") || "" };
  for (const [name, value] of new FormData(form, event.submitter)) {
    if (name !== "assignmentId") answer[name] = name === "evidence" ? [...(answer[name] || []), value] : value;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(answer) + "\n"], { type: "application/jsonl" }));
  link.download = "answer-" + answer.task + ".jsonl";
  link.click();
  document.getElementById("said").textContent = "Thank you. Send the file " + link.download + " to the person who gave you the task.";
});
