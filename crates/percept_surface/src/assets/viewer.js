// The cortex in a page: turn, zoom, unfold, choose and compare maps, point at a vertex. No library, no network.
// One element `.cortex` holds still pictures, a bundle (base64 of deflated binary) and becomes a view where WebGL is there.
(() => {
  "use strict";
  const VERTEX = `
    attribute vec3 p, q, np, nq; attribute vec4 colour; attribute float grey;
    uniform vec3 lowP, spanP, lowQ, spanQ; uniform float mixed; uniform mat3 turn; uniform vec2 shift, scale; uniform float lit, deep;
    varying vec4 vColour; varying float vGrey, vLight;
    void main() {
      vec3 place = mix(lowP + p * spanP, lowQ + q * spanQ, mixed);
      vec3 normal = normalize(mix(np, nq, mixed) + vec3(0.0, -1e-4, 0.0));
      vec3 seen = turn * place, n = turn * normal;
      gl_Position = vec4(seen.x * scale.x + shift.x, seen.z * scale.y + shift.y, seen.y * deep, 1.0);
      vLight = mix(1.0, 0.55 + 0.45 * max(dot(n, normalize(vec3(-0.25, -1.0, 0.35))), 0.0), lit);
      vColour = colour; vGrey = grey;
    }`;
  const FRAGMENT = `
    precision mediump float;
    varying vec4 vColour; varying float vGrey, vLight;
    void main() {
      vec3 base = vec3(vGrey * vLight);
      // Where less than half of a triangle's corner has a value, there is none.
      float on = step(0.5, vColour.a);
      vec3 over = vColour.rgb / max(vColour.a, 1e-3) * (0.8 + 0.2 * vLight);
      gl_FragColor = vec4(mix(base, over, on), 1.0);
    }`;
  const NAMES = { lateral: [90, 0], medial: [-90, 0], back: [0, 0], front: [180, 0], above: [0, 90], below: [0, -90] };
  const CATEGORY = [[0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [213, 94, 0], [240, 228, 66], [120, 120, 120]];

  const inflate = async (text) => {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  // Planes of high and low bytes to numbers of 16 bits; `delta` adds up.
  const words = (bytes, s) => {
    const out = new Uint16Array(s.n);
    let last = 0;
    for (let i = 0; i < s.n; i++) {
      const word = (bytes[s.at + i] << 8) | bytes[s.at + s.n + i];
      out[i] = last = s.delta ? (last + word) & 65535 : word;
    }
    return out;
  };
  const indices = (bytes, s) => {
    const out = new Uint32Array(s.n);
    let last = 0;
    for (let i = 0; i < s.n; i++) {
      const z = bytes[s.at + i] | (bytes[s.at + s.n + i] << 8) | (bytes[s.at + 2 * s.n + i] << 16) | (bytes[s.at + 3 * s.n + i] << 24);
      out[i] = last = last + ((z >>> 1) ^ -(z & 1));
    }
    return out;
  };
  const normalsOf = (places, low, span, faces) => {
    const n = places.length / 3, sum = new Float32Array(places.length), out = new Int8Array(4 * n);
    const x = (v, k) => low[k] + (places[3 * v + k] / 65535) * span[k];
    for (let f = 0; f < faces.length; f += 3) {
      const a = faces[f], b = faces[f + 1], c = faces[f + 2];
      const u0 = x(b, 0) - x(a, 0), u1 = x(b, 1) - x(a, 1), u2 = x(b, 2) - x(a, 2);
      const v0 = x(c, 0) - x(a, 0), v1 = x(c, 1) - x(a, 1), v2 = x(c, 2) - x(a, 2);
      const m = [u1 * v2 - u2 * v1, u2 * v0 - u0 * v2, u0 * v1 - u1 * v0];
      for (const v of [a, b, c]) for (let k = 0; k < 3; k++) sum[3 * v + k] += m[k];
    }
    for (let v = 0; v < n; v++) {
      const length = Math.hypot(sum[3 * v], sum[3 * v + 1], sum[3 * v + 2]) || 1;
      for (let k = 0; k < 3; k++) out[4 * v + k] = Math.round((127 * sum[3 * v + k]) / length);
    }
    return out;
  };
  const el = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key in node && typeof value !== "string") node[key] = value; else node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  };
  const short = (v) => (Number.isFinite(v) ? (Math.abs(v) >= 1e5 || (v && Math.abs(v) < 1e-3) ? v.toExponential(2) : String(+v.toPrecision(4))) : "none").replace("-", "\u2212");

  async function start(root) {
    const holder = root.querySelector("script[type='application/x-cortex']");
    const canvas = el("canvas", { tabindex: "0", role: "application", "aria-label": "The cortex: arrow keys turn it, plus and minus zoom, U unfolds; more keys below" });
    const gl = canvas.getContext("webgl2", { antialias: true, alpha: true, preserveDrawingBuffer: true }) || canvas.getContext("webgl", { antialias: true, alpha: true, preserveDrawingBuffer: true });
    if (!gl || typeof DecompressionStream === "undefined") return;
    if (!(gl instanceof WebGLRenderingContext ? gl.getExtension("OES_element_index_uint") : true)) return;
    const began = performance.now();
    const bytes = await inflate(holder.textContent.trim());
    holder.remove();
    const view = new DataView(bytes.buffer);
    const length = view.getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    const data = bytes.subarray(4 + length);
    const halves = head.hemispheres.map((h) => {
      const faces = indices(data, h.faces);
      const shapes = h.shapes.map((s) => {
        const places = words(data, s.places);
        // From planes of x, y and z to points; flat maps stand upright in front of the reader.
        const n = h.n, points = new Uint16Array(3 * n);
        for (let v = 0; v < n; v++) for (let k = 0; k < 3; k++) points[3 * v + k] = places[k * n + v];
        let own = faces;
        if (s.faces) own = indices(data, s.faces);
        else if (s.missing) {
          const gone = new Uint8Array(n), kept = new Uint32Array(faces.length);
          for (const v of s.missing) gone[v] = 1;
          let k = 0;
          for (let f = 0; f < faces.length; f += 3) if (!(gone[faces[f]] | gone[faces[f + 1]] | gone[faces[f + 2]])) { kept[k] = faces[f]; kept[k + 1] = faces[f + 1]; kept[k + 2] = faces[f + 2]; k += 3; }
          own = kept.subarray(0, k);
        }
        const flat = s.name === "flat";
        return { ...s, points, own, flat, normals: flat ? null : normalsOf(points, s.low, s.span, faces) };
      });
      const folds = h.folds ? words(data, h.folds) : null;
      return { ...h, faces, shapes, folds, regions: h.regions ? words(data, h.regions.of) : null };
    });
    const cache = new Map();
    const valuesOf = (m, h) => {
      const key = m * 2 + h;
      if (!cache.has(key)) {
        const map = head.maps[m], w = words(data, map.sections[h]), out = new Float32Array(w.length);
        for (let i = 0; i < w.length; i++) out[i] = w[i] ? map.min + ((w[i] - 1) / (map.levels - 1)) * (map.max - map.min) : NaN;
        if (map.keys) for (let i = 0; i < out.length; i++) out[i] = Math.round(out[i]);
        cache.set(key, out);
        if (cache.size > 24) cache.delete(cache.keys().next().value);
      }
      return cache.get(key);
    };
    const last = halves[0].shapes.length - 1;
    const inflated = Math.max(0, halves[0].shapes.findIndex((s) => s.name === "inflated"));
    const state = { map: 0, other: -1, best: -1, threshold: head.maps.map((m) => m.threshold || 0), unfold: inflated, yaw: 90, pitch: 0, zoom: 1, panX: 0, panY: 0, vertex: null };
    const tag = root.id || "cortex";
    const hash = () => {
      const s = state, v = s.vertex ? `${s.vertex.side[0]}${s.vertex.number}` : "";
      return `${tag}=${[s.map, s.other, s.best, +s.unfold.toFixed(2), Math.round(s.yaw), Math.round(s.pitch), +s.zoom.toFixed(2), +(s.threshold[s.map] || 0).toPrecision(4), v].join(",")}`;
    };
    const fromHash = () => {
      const found = location.hash.slice(1).split("&").find((part) => part.startsWith(tag + "="));
      if (!found) return;
      const [map, other, best, unfold, yaw, pitch, zoom, threshold, v] = found.slice(tag.length + 1).split(",");
      const within = (x, low, high, or) => (Number.isFinite(+x) ? Math.min(high, Math.max(low, +x)) : or);
      state.map = Math.round(within(map, 0, head.maps.length - 1, 0));
      state.other = Math.round(within(other, -1, head.maps.length - 1, -1));
      state.best = Math.round(within(best, -1, (head.groups || []).length - 1, -1));
      state.unfold = within(unfold, 0, last, state.unfold);
      state.yaw = within(yaw, -1e4, 1e4, 90); state.pitch = within(pitch, -90, 90, 0); state.zoom = within(zoom, 0.3, 20, 1);
      state.threshold[state.map] = within(threshold, -1e30, 1e30, 0);
      if (v) select(v[0] === "l" ? "left" : "right", +v.slice(1));
    };

    // --- the graphics card ---
    const compile = (kind, text) => { const s = gl.createShader(kind); gl.shaderSource(s, text); gl.compileShader(s); if (!gl.getShaderParameter(s, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(s)); return s; };
    const program = gl.createProgram();
    gl.attachShader(program, compile(gl.VERTEX_SHADER, VERTEX)); gl.attachShader(program, compile(gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program); gl.useProgram(program);
    const uniform = (name) => gl.getUniformLocation(program, name), attribute = (name) => gl.getAttribLocation(program, name);
    const U = Object.fromEntries(["lowP", "spanP", "lowQ", "spanQ", "mixed", "turn", "shift", "scale", "lit", "deep"].map((n) => [n, uniform(n)]));
    const A = Object.fromEntries(["p", "q", "np", "nq", "colour", "grey"].map((n) => [n, attribute(n)]));
    const buffer = (kind, values) => { const b = gl.createBuffer(); gl.bindBuffer(kind, b); gl.bufferData(kind, values, gl.STATIC_DRAW); return b; };
    for (const h of halves) {
      for (const s of h.shapes) {
        const padded = new Uint16Array(4 * h.n);
        for (let v = 0; v < h.n; v++) for (let k = 0; k < 3; k++) padded[4 * v + k] = s.points[3 * v + k];
        s.buffer = buffer(gl.ARRAY_BUFFER, padded);
        const normals = s.normals || new Int8Array(4 * h.n).map((_, i) => (i % 4 === 1 ? -127 : 0));
        s.normalBuffer = buffer(gl.ARRAY_BUFFER, normals);
        s.normals = null;
        s.index = s.own === h.faces && h.index ? h.index : buffer(gl.ELEMENT_ARRAY_BUFFER, s.own);
        if (s.own === h.faces) h.index = s.index;
      }
      const grey = new Uint8Array(h.n);
      for (let v = 0; v < h.n; v++) {
        const fold = h.folds ? (h.folds[v] / 65535) * 2 - 1 : -0.05;
        grey[v] = 205 - 47 * Math.min(1, Math.max(0, 0.5 + 4 * fold));
      }
      h.grey = buffer(gl.ARRAY_BUFFER, grey);
      h.colours = [gl.createBuffer(), gl.createBuffer()];
    }
    gl.enable(gl.DEPTH_TEST);

    const tables = head.tables.map((t) => Uint8Array.from(atob(t), (c) => c.charCodeAt(0)));
    const ordered = (i, n) => { const t = tables[head.ordered], k = 3 * Math.round((255 * i) / Math.max(1, n - 1)); return [t[k], t[k + 1], t[k + 2]]; };
    const bestOf = (group, h) => {
      const maps = head.groups[group].maps, all = maps.map((m) => valuesOf(m, h)), out = new Float32Array(halves[h].n);
      for (let v = 0; v < out.length; v++) {
        let best = -1, most = -Infinity;
        for (let i = 0; i < all.length; i++) if (all[i][v] > most) { most = all[i][v]; best = i; }
        out[v] = best < 0 || most < state.threshold[state.map] ? NaN : best;
      }
      return out;
    };
    const paint = (slot, m) => {
      halves.forEach((h, i) => {
        const rgba = new Uint8Array(4 * h.n);
        const map = head.maps[m];
        if (slot === 0 && state.best >= 0) {
          const best = bestOf(state.best, i), n = head.groups[state.best].maps.length;
          const colours = Array.from({ length: n }, (_, k) => ordered(k, n));
          for (let v = 0; v < h.n; v++) if (best[v] === best[v]) { const c = colours[best[v]]; rgba[4 * v] = c[0]; rgba[4 * v + 1] = c[1]; rgba[4 * v + 2] = c[2]; rgba[4 * v + 3] = 255; }
        } else {
          const values = valuesOf(m, i), least = state.threshold[m];
          const keys = map.keys && new Map(map.keys.map((k) => [k.value, k.colour]));
          const table = tables[map.table], span = map.high - map.low || 1;
          for (let v = 0; v < h.n; v++) {
            const x = values[v];
            if (x !== x || (!keys && Math.abs(x) < least)) continue;
            if (keys) { const c = keys.get(x); if (!c) continue; rgba.set(c, 4 * v); }
            else { const k = 3 * Math.round(255 * Math.min(1, Math.max(0, (x - map.low) / span))); rgba[4 * v] = table[k]; rgba[4 * v + 1] = table[k + 1]; rgba[4 * v + 2] = table[k + 2]; }
            rgba[4 * v + 3] = 255;
          }
        }
        if (state.vertex && state.vertex.half === i) rgba.set([255, 0, 255, 255], 4 * state.vertex.number);
        gl.bindBuffer(gl.ARRAY_BUFFER, h.colours[slot]);
        gl.bufferData(gl.ARRAY_BUFFER, rgba, gl.DYNAMIC_DRAW);
      });
    };

    // --- where things stand ---
    const pair = () => { const i = Math.min(last, Math.floor(state.unfold)), j = Math.min(last, i + 1); return [i, j, state.unfold - i]; };
    const reach = (s) => Math.max(s.span[0], s.flat ? 0 : s.span[1], 1) / 2;
    const stand = (h, panel, panels) => {
      const [i, j, mixed] = pair(), P = h.shapes[i], Q = h.shapes[j];
      const flat = (P.flat ? 1 - mixed : 0) + (Q.flat ? mixed : 0);
      const mirror = h.side === "left" ? 1 : -1;
      const yaw = ((state.yaw * Math.PI) / 180) * (1 - flat) * mirror, pitch = ((state.pitch * Math.PI) / 180) * (1 - flat);
      const [c, s, d, e] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
      // First around the upright axis, then forwards. Rows: right, away, up.
      const turn = [[c, -s, 0], [s * d, c * d, -e], [s * e, c * e, d]];
      const half = halves.length > 1 ? Math.max(...halves.map((o) => reach(o.shapes[i]) * (1 - mixed) + reach(o.shapes[j]) * mixed)) : 0;
      const wide = halves.length > 1 ? 2.1 * half : reach(P) * (1 - mixed) + reach(Q) * mixed;
      const high = Math.max(...halves.map((o) => (o.shapes[i].span[2] * (1 - mixed) + o.shapes[j].span[2] * mixed) / 2 + 0.25 * (1 - flat) * half));
      const w = canvas.width / panels, hgt = canvas.height;
      const unit = (Math.min(w / (2 * wide), hgt / (2 * high)) * 0.94) * state.zoom;
      const side = halves.length > 1 ? -mirror * 1.05 * half : 0;
      return { P, Q, i, j, mixed, turn, flat, unit, w, hgt, cx: w / 2 + (side + state.panX) * unit, cy: hgt / 2 - state.panY * unit, centreP: P.low.map((l, k) => l + P.span[k] / 2), centreQ: Q.low.map((l, k) => l + Q.span[k] / 2), reach: Math.max(reach(P), reach(Q), P.span[2], Q.span[2]) };
    };
    const frameTimes = [];
    const draw = (measure) => {
      const t0 = performance.now();
      const ratio = Math.min(2, window.devicePixelRatio || 1);
      const [w, h] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
      if (w && (canvas.width !== w || canvas.height !== h)) { canvas.width = w; canvas.height = h; }
      const panels = state.other >= 0 ? 2 : 1;
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      for (let panel = 0; panel < panels; panel++) {
        gl.viewport((panel * canvas.width) / panels, 0, canvas.width / panels, canvas.height);
        for (const half of halves) {
          const s = stand(half, panel, panels);
          const set = (a, b, size, kind, normalised, stride) => { gl.bindBuffer(gl.ARRAY_BUFFER, b); gl.enableVertexAttribArray(a); gl.vertexAttribPointer(a, size, kind, normalised, stride, 0); };
          set(A.p, s.P.buffer, 3, gl.UNSIGNED_SHORT, true, 8); set(A.q, s.Q.buffer, 3, gl.UNSIGNED_SHORT, true, 8);
          set(A.np, s.P.normalBuffer, 3, gl.BYTE, true, 4); set(A.nq, s.Q.normalBuffer, 3, gl.BYTE, true, 4);
          set(A.colour, half.colours[panel], 4, gl.UNSIGNED_BYTE, true, 4); set(A.grey, half.grey, 1, gl.UNSIGNED_BYTE, true, 1);
          gl.uniform3fv(U.lowP, s.P.low.map((l, k) => l - s.centreP[k])); gl.uniform3fv(U.spanP, s.P.span);
          gl.uniform3fv(U.lowQ, s.Q.low.map((l, k) => l - s.centreQ[k])); gl.uniform3fv(U.spanQ, s.Q.span);
          gl.uniform1f(U.mixed, s.mixed); gl.uniform1f(U.lit, 1 - s.flat); gl.uniform1f(U.deep, 0.45 / s.reach);
          const T = s.turn;
          gl.uniformMatrix3fv(U.turn, false, [T[0][0], T[1][0], T[2][0], T[0][1], T[1][1], T[2][1], T[0][2], T[1][2], T[2][2]]);
          gl.uniform2f(U.scale, (2 * s.unit) / s.w, (2 * s.unit) / s.hgt);
          gl.uniform2f(U.shift, (2 * s.cx) / s.w - 1, 1 - (2 * s.cy) / s.hgt);
          const shape = s.mixed > 0 && s.Q.own !== half.faces ? s.Q : s.P;
          gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, shape.index);
          gl.drawElements(gl.TRIANGLES, shape.own.length, gl.UNSIGNED_INT, 0);
        }
      }
      // Reading a pixel waits until all of them are there, so that the time is the frame's.
      if (measure) gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
      frameTimes.push(performance.now() - t0);
      if (frameTimes.length > 500) frameTimes.shift();
    };
    let asked = false;
    const later = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } };
    const write = () => { history.replaceState(null, "", "#" + location.hash.slice(1).split("&").filter((p) => p && !p.startsWith(tag + "=")).concat(hash()).join("&")); };

    // The vertex at a place of the canvas (in its pixels), by going through all triangles.
    const pick = (x, y) => {
      const panels = state.other >= 0 ? 2 : 1, w = canvas.width / panels;
      const px = x % w;
      let found = null;
      halves.forEach((half, number) => {
        const s = stand(half, 0, panels), n = half.n, at = new Float32Array(3 * n), T = s.turn;
        for (let v = 0; v < n; v++) {
          const c = [0, 1, 2].map((k) => {
            const a = s.P.low[k] - s.centreP[k] + (s.P.points[3 * v + k] / 65535) * s.P.span[k];
            return s.mixed ? a + (s.Q.low[k] - s.centreQ[k] + (s.Q.points[3 * v + k] / 65535) * s.Q.span[k] - a) * s.mixed : a;
          });
          at[3 * v] = s.cx + (T[0][0] * c[0] + T[0][1] * c[1] + T[0][2] * c[2]) * s.unit;
          at[3 * v + 1] = s.cy - (T[2][0] * c[0] + T[2][1] * c[1] + T[2][2] * c[2]) * s.unit;
          at[3 * v + 2] = T[1][0] * c[0] + T[1][1] * c[1] + T[1][2] * c[2];
        }
        const faces = (s.mixed > 0 && s.Q.own !== half.faces ? s.Q : s.P).own;
        for (let f = 0; f < faces.length; f += 3) {
          const a = 3 * faces[f], b = 3 * faces[f + 1], c = 3 * faces[f + 2];
          const area = (at[b] - at[a]) * (at[c + 1] - at[a + 1]) - (at[b + 1] - at[a + 1]) * (at[c] - at[a]);
          if (!area) continue;
          const wa = ((at[b] - px) * (at[c + 1] - y) - (at[b + 1] - y) * (at[c] - px)) / area;
          if (wa < 0 || wa > 1) continue;
          const wb = ((at[c] - px) * (at[a + 1] - y) - (at[c + 1] - y) * (at[a] - px)) / area;
          if (wb < 0 || wa + wb > 1) continue;
          const depth = wa * at[a + 2] + wb * at[b + 2] + (1 - wa - wb) * at[c + 2];
          if (found && depth >= found.depth) continue;
          const corner = wa >= wb && wa >= 1 - wa - wb ? a : wb >= 1 - wa - wb ? b : c;
          found = { depth, half: number, number: corner / 3 };
        }
      });
      return found;
    };

    // --- words and controls ---
    const panel = el("div", { class: "cortex-said", "aria-live": "polite" });
    const valueAt = (m, h, v) => valuesOf(m, h)[v];
    const regionOf = (h, v) => { const r = halves[h].regions; return r && r[v] ? halves[h].regionNames[r[v] - 1] : ""; };
    const profile = (group, h, v) => {
      const values = group.maps.map((m) => valueAt(m, h, v)), ok = values.filter(Number.isFinite);
      if (!ok.length) return "";
      const low = Math.min(0, ...ok), high = Math.max(...ok, low + 1e-9), W = 230, H = 64, step = W / values.length;
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("viewBox", `0 0 ${W} ${H}`); svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", `${group.name}: ${values.map((x, i) => `${group.labels[i]} ${short(x)}`).join(", ")}`);
      const best = values.indexOf(Math.max(...ok));
      values.forEach((x, i) => {
        if (!Number.isFinite(x)) return;
        const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        const y0 = H - (H * (0 - low)) / (high - low), y1 = H - (H * (x - low)) / (high - low);
        for (const [k, val] of Object.entries({ x: i * step + 1, y: Math.min(y0, y1), width: Math.max(1, step - 2), height: Math.max(1, Math.abs(y1 - y0)), fill: `rgb(${ordered(i, values.length)})`, stroke: i === best ? "currentColor" : "none" })) bar.setAttribute(k, val);
        const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
        title.textContent = `${group.labels[i]}: ${short(x)}`;
        bar.append(title); svg.append(bar);
      });
      return el("figure", {}, el("figcaption", {}, `${group.name}: best ${group.labels[best]}`), svg);
    };
    const say = () => {
      panel.replaceChildren();
      const p = state.vertex;
      if (!p) { panel.append(el("p", {}, "Point at the cortex.")); return; }
      const region = regionOf(p.half, p.number);
      panel.append(el("p", {}, el("b", {}, region || "no region"), ` ${p.side} hemisphere, vertex ${p.number}`));
      const list = el("dl");
      for (const m of state.other >= 0 ? [state.map, state.other] : [state.map]) {
        const map = head.maps[m], x = valueAt(m, p.half, p.number), key = map.keys && map.keys.find((k) => k.value === x);
        let text = key ? key.name : short(x) + (map.unit && Number.isFinite(x) ? " " + map.unit : "");
        if (map.interval && Number.isFinite(x)) text += ` (${short(valueAt(map.interval[0], p.half, p.number))} to ${short(valueAt(map.interval[1], p.half, p.number))})`;
        list.append(el("dt", {}, map.name), el("dd", { "data-map": String(m) }, text));
      }
      panel.append(list);
      for (const group of head.groups || []) panel.append(profile(group, p.half, p.number));
      const notes = (head.notes || {})[region];
      if (notes && notes.words) panel.append(el("p", { class: "words" }, "Driven by: " + notes.words.join(", ")));
      for (const source of (notes && notes.pictures) || []) panel.append(el("img", { src: source, alt: `a picture that drives ${region}`, width: 64 }));
    };
    const select = (side, number) => {
      const half = halves.findIndex((h) => h.side === side);
      state.vertex = half >= 0 && number >= 0 && number < halves[half].n ? { side, half, number: Math.round(number) } : null;
    };
    const bar = el("canvas", { class: "cortex-bar", width: 256, height: 1, "aria-hidden": "true" });
    const ends = el("div", { class: "cortex-ends" });
    const legend = () => {
      const map = head.maps[state.map];
      ends.replaceChildren();
      bar.hidden = state.best >= 0 || !!map.keys;
      if (state.best >= 0) {
        const g = head.groups[state.best];
        g.labels.forEach((name, i) => ends.append(el("span", {}, el("i", { style: `background:rgb(${ordered(i, g.labels.length)})` }), name)));
      } else if (map.keys) map.keys.forEach((k) => ends.append(el("span", {}, el("i", { style: `background:rgb(${k.colour})` }), k.name)));
      else {
        const c = bar.getContext("2d"), image = c.createImageData(256, 1), table = tables[map.table];
        for (let i = 0; i < 256; i++) {
          const x = map.low + ((map.high - map.low) * i) / 255, hidden = Math.abs(x) < state.threshold[state.map];
          for (let k = 0; k < 3; k++) image.data[4 * i + k] = hidden ? 170 : table[3 * i + k];
          image.data[4 * i + 3] = 255;
        }
        c.putImageData(image, 0, 0);
        ends.append(el("span", {}, short(map.low)), el("span", {}, map.unit || ""), el("span", {}, short(map.high)));
      }
    };
    const option = (value, text) => el("option", { value: String(value) }, text);
    const shown = head.maps.map((m, i) => [m, i]).filter(([m]) => !m.hidden);
    const chooser = el("select", { class: "map" }, ...shown.map(([m, i]) => option(i, m.name)));
    const second = el("select", { class: "other" }, option(-1, "none"), ...shown.map(([m, i]) => option(i, m.name)));
    const best = el("select", { class: "best" }, option(-1, "value"), ...(head.groups || []).map((g, i) => option(i, `best of ${g.name}`)));
    const slider = (name, min, max, step) => el("input", { type: "range", class: name, min: String(min), max: String(max), step: String(step) });
    const threshold = slider("threshold", 0, 1, 0.001), unfold = slider("unfold", 0, last, 0.01);
    const words_ = el("output");
    const views = el("div", { class: "views" }, ...Object.keys(NAMES).map((name) => { const b = el("button", { type: "button" }, name); b.onclick = () => { turnTo(name); }; return b; }));
    const go = el("input", { type: "text", class: "go", size: "9", placeholder: "left 1234", "aria-label": "Go to a vertex, such as left 1234" });
    const label = (text, control) => el("label", {}, text, control);
    const top = () => { const m = head.maps[state.map]; return m.keys ? 1 : Math.max(Math.abs(m.low), Math.abs(m.high)); };
    const refresh = (colours = true) => {
      chooser.value = state.map; second.value = state.other; best.value = state.best;
      threshold.max = top(); threshold.step = top() / 500; threshold.value = state.threshold[state.map]; unfold.value = state.unfold;
      words_.textContent = short(state.threshold[state.map]);
      if (colours) { paint(0, state.map); if (state.other >= 0) paint(1, state.other); legend(); }
      say(); later(); write();
    };
    const turnTo = (name) => { [state.yaw, state.pitch] = NAMES[name]; if (state.unfold > inflated) state.unfold = inflated; state.panX = state.panY = 0; refresh(false); };
    chooser.onchange = () => { state.map = +chooser.value; refresh(); };
    second.onchange = () => { state.other = +second.value; refresh(); };
    best.onchange = () => { state.best = +best.value; refresh(); };
    threshold.oninput = () => { state.threshold[state.map] = +threshold.value; refresh(); };
    unfold.oninput = () => { state.unfold = +unfold.value; refresh(false); };
    const goTo = () => { const m = go.value.trim().match(/^(l|left|lh|r|right|rh)?\s*(\d+)$/i); if (m) { select((m[1] || "l")[0].toLowerCase() === "l" ? "left" : "right", +m[2]); refresh(); } };
    go.onchange = goTo;
    go.onkeydown = (event) => { if (event.key === "Enter") goTo(); };
    let run = 0;
    const animate = (target) => { const mine = ++run, from = state.unfold, t0 = performance.now(); const calm = matchMedia("(prefers-reduced-motion: reduce)").matches; const step = () => { if (mine !== run) return; const s = calm ? 1 : Math.min(1, (performance.now() - t0) / 600); state.unfold = from + (target - from) * s * s * (3 - 2 * s); refresh(false); if (s < 1) requestAnimationFrame(step); }; step(); };
    const pointers = new Map();
    let moved = 0;
    canvas.onpointerdown = (event) => { canvas.setPointerCapture(event.pointerId); pointers.set(event.pointerId, [event.clientX, event.clientY]); moved = 0; };
    canvas.onpointermove = (event) => {
      const old = pointers.get(event.pointerId);
      if (!old) return;
      const now = [event.clientX, event.clientY], dx = now[0] - old[0], dy = now[1] - old[1];
      moved += Math.abs(dx) + Math.abs(dy);
      if (pointers.size === 2) {
        const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)[1];
        const d = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
        state.zoom = Math.min(20, Math.max(0.3, (state.zoom * d(now)) / Math.max(1, d(old))));
      }
      if (pointers.size === 2 || event.shiftKey || state.unfold > last - 0.5 && halves[0].shapes[last].flat) {
        const unit = stand(halves[0], 0, 1).unit / (canvas.width / canvas.clientWidth);
        state.panX += dx / unit; state.panY -= dy / unit;
      } else { state.yaw += dx * 0.5; state.pitch = Math.min(90, Math.max(-90, state.pitch + dy * 0.5)); }
      pointers.set(event.pointerId, now);
      later();
    };
    canvas.onpointerup = canvas.onpointercancel = (event) => {
      pointers.delete(event.pointerId);
      if (event.type === "pointerup" && moved < 4) {
        const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width;
        const hit = pick((event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio);
        state.vertex = hit && { side: halves[hit.half].side, half: hit.half, number: hit.number };
        refresh();
      } else write();
    };
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); state.zoom = Math.min(20, Math.max(0.3, state.zoom * Math.exp(-event.deltaY * 0.0015))); later(); write(); }, { passive: false });
    const next = (list, value, step) => { const i = list.indexOf(value); return list[(i + step + list.length) % list.length]; };
    canvas.onkeydown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const turn = (yaw, pitch) => { state.yaw += yaw; state.pitch = Math.min(90, Math.max(-90, state.pitch + pitch)); refresh(false); };
      const maps = shown.map(([, i]) => i);
      const actions = {
        ArrowLeft: () => turn(-10, 0), ArrowRight: () => turn(10, 0), ArrowUp: () => turn(0, 10), ArrowDown: () => turn(0, -10),
        "+": () => { state.zoom = Math.min(20, state.zoom * 1.2); refresh(false); }, "-": () => { state.zoom = Math.max(0.3, state.zoom / 1.2); refresh(false); },
        u: () => animate(state.unfold >= last ? 0 : Math.floor(state.unfold) + 1),
        m: () => { state.map = next(maps, state.map, 1); refresh(); }, n: () => { state.map = next(maps, state.map, -1); refresh(); },
        "]": () => { state.threshold[state.map] += top() / 20; refresh(); }, "[": () => { state.threshold[state.map] = Math.max(0, state.threshold[state.map] - top() / 20); refresh(); },
        c: () => { state.other = state.other >= 0 ? -1 : next(maps, state.map, 1); refresh(); },
        b: () => { if ((head.groups || []).length) { state.best = state.best + 1 >= head.groups.length ? -1 : state.best + 1; refresh(); } },
        Enter: () => { const hit = pick(canvas.width / 4, canvas.height / 2) || pick(canvas.width / 2, canvas.height / 2); if (hit) { select(halves[hit.half].side, hit.number); refresh(); } },
        g: () => go.focus(), "0": () => { state.zoom = 1; state.panX = state.panY = 0; turnTo("lateral"); },
      };
      Object.keys(NAMES).forEach((name, i) => { actions[String(i + 1)] = () => turnTo(name); });
      const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (action) { event.preventDefault(); action(); }
    };
    const keys = el("details", {}, el("summary", {}, "Keys"), el("p", {}, "Arrows turn, + and \u2212 zoom, U unfolds, M and N choose the map, [ and ] the threshold, C compares, B shows the best layer, 1 to 6 are views, Enter points at what is in front, G goes to a vertex, 0 starts again. Shift and drag moves."));
    const controls = el("div", { class: "cortex-controls" }, label("Map ", chooser), label("Compare ", second));
    if ((head.groups || []).length) controls.append(label("Draw ", best));
    controls.append(label("Threshold ", threshold), words_, label("Unfold ", unfold), views, label("Vertex ", go), keys);
    const stills = root.querySelector(".cortex-stills");
    root.append(el("div", { class: "cortex-view" }, canvas, el("div", { class: "cortex-side" }, el("div", { class: "cortex-legend" }, bar, ends), panel)), controls);
    fromHash();
    refresh();
    draw();
    if (stills) stills.hidden = true;
    root.classList.add("is-live");
    new ResizeObserver(later).observe(canvas);
    addEventListener("hashchange", () => { fromHash(); refresh(); });
    canvas.addEventListener("webglcontextlost", () => { if (stills) stills.hidden = false; root.classList.remove("is-live"); });
    root.cortex = { state, head, halves, pick, draw, frameTimes, refresh, valueAt, regionOf, bestOf, openMs: performance.now() - began, stand: (h) => stand(halves[h], 0, state.other >= 0 ? 2 : 1) };
    root.dispatchEvent(new Event("cortexready"));
  }
  for (const root of document.querySelectorAll(".cortex:not([data-started])")) {
    root.dataset.started = "";
    start(root).catch((error) => { root.dataset.failed = String(error); });
  }
})();
