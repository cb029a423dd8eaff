// The rating page: one question at a time, each answer saved before the next appears.
"use strict";

const $ = (id) => document.getElementById(id);
const candidates = [...document.querySelectorAll(".candidate")];
let state = null; // what the server said last
let shownAt = null; // when both candidates were to be seen; no answer is taken before
let busy = false;

async function ask(path, body) {
  const options = body === undefined ? {} :
    { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const reply = await fetch(path, options);
  if (!reply.ok) throw new Error(await reply.text());
  return reply.json();
}

function trouble(error) {
  $("trouble").textContent = error ? `${error.message || error} Your answer was not saved; try again.` : "";
  $("trouble").hidden = !error;
}

function show(id) {
  for (const part of ["enter", "question", "end"]) $(part).hidden = part !== id;
}

function loaded(image, address) {
  return new Promise((done) => {
    image.onload = image.onerror = () => done();
    image.src = address;
    if (image.complete) done();
  });
}

async function draw(next) {
  state = next;
  shownAt = null;
  $("who").textContent = state.rater;
  $("who").hidden = false;
  $("count").textContent = `${state.done} of ${state.n}`;
  $("fill").style.width = `${100 * state.done / Math.max(1, state.n)}%`;
  $("track").hidden = false;
  $("undo").hidden = state.done === 0;
  if (!state.next) { show("end"); return; }
  const question = state.next;
  const address = (part) => `picture/${part}?trial=${question.trial}&rater=${encodeURIComponent(state.rater)}`;
  $("ask").textContent = state.kind === "captions" ? "Which description is closer to this picture?" : "Which picture is closer to this one?";
  $("pair").className = state.kind;
  $("tie").hidden = !state.ties;
  const waiting = [loaded($("stimulus"), address("stimulus"))];
  for (const candidate of candidates) {
    const side = candidate.dataset.choice;
    const body = candidate.querySelector(".body");
    candidate.classList.remove("chosen");
    if (question[side] === null) {
      const image = document.createElement("img");
      image.alt = `candidate on the ${side}`;
      waiting.push(loaded(image, address(side)));
      body.replaceChildren(image);
    } else {
      const words = document.createElement("span");
      words.className = "words";
      words.textContent = question[side] || "(no words)";
      body.replaceChildren(words);
    }
  }
  show("question");
  document.activeElement?.blur();
  await Promise.all(waiting);
  // Two frames: then the candidates are on the screen.
  requestAnimationFrame(() => requestAnimationFrame((now) => { if (state === next) shownAt = now; }));
}

async function during(work) {
  if (busy) return;
  busy = true;
  try {
    const next = await work();
    trouble(null);
    await draw(next);
  } catch (error) {
    trouble(error);
  } finally {
    busy = false;
  }
}

function answer(choice) {
  if (busy || shownAt === null || !state?.next || (choice === "tie" && !state.ties)) return;
  const reaction = Math.max(0, Math.round(performance.now() - shownAt));
  candidates.forEach((candidate) => candidate.classList.toggle("chosen", candidate.dataset.choice === choice));
  during(() => ask("answer", { rater: state.rater, trial: state.next.trial, choice, reaction_ms: reaction }));
}

function undo() {
  if (state && state.done > 0) during(() => ask("undo", { rater: state.rater }));
}

async function start(rater) {
  await during(() => ask(`state?rater=${encodeURIComponent(rater)}`));
  if (state) sessionStorage.setItem("rater", state.rater);
}

async function enter() {
  state = null;
  sessionStorage.removeItem("rater");
  $("who").textContent = $("count").textContent = "";
  $("who").hidden = $("undo").hidden = $("track").hidden = true;
  show("enter");
  $("name").value = "";
  $("name").focus();
  const raters = await ask("raters").catch(() => []);
  $("known").hidden = raters.length === 0;
  $("names").replaceChildren(...raters.map((known) => {
    const button = document.createElement("button");
    const progress = document.createElement("span");
    button.type = "button";
    button.textContent = known.rater;
    progress.textContent = `${known.done} of ${known.n}`;
    button.append(progress);
    button.onclick = () => start(known.rater);
    return button;
  }));
}

$("enter").addEventListener("submit", (event) => { event.preventDefault(); start($("name").value); });
for (const button of [...candidates, $("tie")]) button.addEventListener("click", () => answer(button.dataset.choice));
$("undo").addEventListener("click", undo);
$("another").addEventListener("click", enter);
$("who").addEventListener("click", enter);
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "INPUT") return;
  const choice = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right", " ": "tie" }[event.key];
  if (choice && !$("question").hidden) {
    event.preventDefault();
    answer(choice);
  } else if (["u", "U", "Backspace"].includes(event.key) && state) {
    event.preventDefault();
    undo();
  }
});

const remembered = sessionStorage.getItem("rater");
if (remembered) start(remembered); else enter();
