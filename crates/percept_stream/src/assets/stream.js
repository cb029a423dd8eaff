"use strict";
// The page of a stream: pictures and numbers come over two sockets, which are opened again when they break.
const $ = (id) => document.getElementById(id);
const canvas = $("picture");
const paper = canvas.getContext("2d");
let status = null;
let connected = false;

function connect(path, binary, heard) {
  const scheme = location.protocol === "https:" ? "wss://" : "ws://";
  const socket = new WebSocket(scheme + location.host + path);
  if (binary) socket.binaryType = "blob";
  socket.onmessage = (event) => heard(event.data);
  socket.onopen = () => { connected = true; };
  socket.onclose = () => {
    connected = false;
    mark();
    setTimeout(() => connect(path, binary, heard), 1000);
  };
}

let drawing = false;
connect("/frames", true, async (blob) => {
  // A browser that is slower than the stream shows what it can.
  if (drawing) return;
  drawing = true;
  try {
    const bitmap = await createImageBitmap(blob);
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    paper.drawImage(bitmap, 0, 0);
    bitmap.close();
  } finally {
    drawing = false;
  }
});

connect("/status", false, (text) => {
  status = JSON.parse(text);
  requestAnimationFrame(show);
});

function mark() {
  const live = $("live");
  const lost = status && status.lost;
  const words = !connected ? "engine not reachable" : lost ? "source lost" : status && status.paused ? "paused" : "live";
  live.textContent = words;
  live.className = "live " + (words === "live" ? "on" : "off");
}

const number = (value, digits) => (value === null || value === undefined ? "–" : Number(value).toFixed(digits));

function put(id, text, unit) {
  const place = $(id);
  place.textContent = text;
  if (unit && text !== "–") {
    const small = document.createElement("small");
    small.textContent = " " + unit;
    place.append(small);
  }
}

function show() {
  const s = status;
  mark();
  $("source").textContent = s.source
    ? `${s.source.name} · ${s.source.channels} channels · ${s.source.rate_hz} Hz`
    : "waiting for the source";
  put("fps", number(s.fps, 1));
  put("p50", number(s.summary.latency_ms.p50, 1), "ms");
  put("p99", number(s.summary.latency_ms.p99, 1), "ms");
  put("dropped", String(s.summary.dropped));
  put("gaps", String(s.summary.gaps));
  put("frame", s.frame === null ? "–" : String(s.frame));
  press("pause", s.paused, s.paused ? "Go on" : "Pause");
  press("blank", s.blank, s.blank ? "Show" : "Blank");
  press("record", s.recording, s.recording ? "Stop recording" : "Record");
  $("record").disabled = !s.can_record;
  $("record").title = s.can_record ? "" : "start with --out DIR to record";
  const note = $("note");
  note.hidden = !s.lost && !s.refused;
  // A source that sends what cannot be read is both.
  note.textContent = [s.lost && `Source lost: ${s.lost}`, s.refused && `Refused: ${s.refused}`].filter(Boolean).join(". ");
  rows("values", Object.entries(s.values || {}).map(([name, value]) => [name, number(value, 2), name.includes("/") ? null : value]));
  rows("prompts", s.prompts.map((p) => [p.text, number(p.weight, 2), p.weight]));
  $("prompts-title").hidden = s.prompts.length === 0;
  $("how").textContent = s.latent ? `${s.latent}; ${s.steps} ${s.steps === 1 ? "step" : "steps"}, ${s.side} × ${s.side} pixels` : "";
  if (s.traces) {
    $("unit").textContent = s.traces.unit ? `${s.traces.unit}, ${s.traces.seconds} s` : `${s.traces.seconds} s`;
    traces($("traces"), s.traces.curves || []);
  }
  if (s.spectrum) spectrum($("spectrum"), s.spectrum);
}

function press(id, on, words) {
  $(id).setAttribute("aria-pressed", String(Boolean(on)));
  $(id).textContent = words;
}

function rows(id, entries) {
  const place = $(id);
  place.replaceChildren(...entries.map(([name, text, share]) => {
    const row = document.createElement("div");
    row.className = "value";
    const label = document.createElement("span");
    label.textContent = name;
    const value = document.createElement("b");
    value.textContent = text;
    row.append(label, value);
    if (share !== null && share !== undefined) {
      const meter = document.createElement("div");
      meter.className = "meter";
      const bar = document.createElement("i");
      bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
      meter.append(bar);
      row.append(meter);
    }
    return row;
  }));
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A canvas as sharp as the screen, cleared.
function sheet(place) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [place.clientWidth, place.clientHeight];
  if (place.width !== Math.round(width * ratio) || place.height !== Math.round(height * ratio)) {
    place.width = Math.round(width * ratio);
    place.height = Math.round(height * ratio);
  }
  const context = place.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}

function traces(place, curves) {
  const [context, width, height] = sheet(place);
  if (curves.length === 0) return;
  const lane = height / curves.length;
  let most = 1e-12;
  const middles = curves.map((curve) => curve.reduce((sum, v) => sum + (v || 0), 0) / Math.max(1, curve.length));
  curves.forEach((curve, i) => curve.forEach((v) => { most = Math.max(most, Math.abs((v || 0) - middles[i])); }));
  context.lineWidth = 1.2;
  context.strokeStyle = colour("--accent");
  curves.forEach((curve, i) => {
    context.beginPath();
    curve.forEach((v, j) => {
      const x = (j / Math.max(1, curve.length - 1)) * width;
      const y = (i + 0.5) * lane - (((v || 0) - middles[i]) / most) * lane * 0.75;
      if (j === 0) context.moveTo(x, y); else context.lineTo(x, y);
    });
    context.stroke();
  });
}

function spectrum(place, data) {
  const [context, width, height] = sheet(place);
  const values = data.decibels.slice(1);
  if (values.length < 2) return;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const x = (i) => ((i + 1) * data.step_hz / 100) * width;
  context.fillStyle = colour("--faint");
  context.strokeStyle = colour("--line");
  context.font = "11px system-ui, sans-serif";
  context.lineWidth = 1;
  for (const hz of [20, 40, 60, 80]) {
    const at = (hz / 100) * width;
    context.beginPath();
    context.moveTo(at, 0);
    context.lineTo(at, height);
    context.stroke();
    context.fillText(`${hz} Hz`, at + 4, height - 6);
  }
  context.strokeStyle = colour("--accent");
  context.lineWidth = 1.5;
  context.beginPath();
  values.forEach((v, i) => {
    const y = height - 10 - ((v - low) / Math.max(1e-9, high - low)) * (height - 20);
    if (i === 0) context.moveTo(x(i), y); else context.lineTo(x(i), y);
  });
  context.stroke();
}

async function wish(body) {
  const answer = await fetch("/control", { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) {
    $("note").hidden = false;
    $("note").textContent = await answer.text();
  }
}
$("pause").onclick = () => wish({ pause: !(status && status.paused) });
$("blank").onclick = () => wish({ blank: !(status && status.blank) });
$("record").onclick = () => wish({ record: !(status && status.recording) });
