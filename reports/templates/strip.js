// Watch it: plays a day from what its run recorded.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const canvas = $("strip-canvas");
  const draw = canvas.getContext("2d");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  // Moments a second at normal speed.
  const SPEED = 12;
  const DEAD = 255, PALE = 64, FULL = 16;
  let day = null, at = 0, playing = false, last = 0, part = 0;

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const compact = (n) => n.toLocaleString("en", { notation: n >= 10000 ? "compact" : "standard", maximumFractionDigits: 1 });
  const cell = (i) => parseInt(day.servers[at].slice(2 * i, 2 * i + 2), 16);

  const paint = () => {
    if (!day || !day.servers.length) return;
    const wide = Math.max(280, canvas.clientWidth || 600), sharp = window.devicePixelRatio || 1;
    const ink = { text: color("--ink"), muted: color("--muted"), grid: color("--grid"), blue: color("--blue"), out: color("--out"), bad: color("--vermillion"), purple: color("--purple") };
    const servers = day.fleets.reduce((sum, [, n]) => sum + n, 0);
    const size = servers > 120 ? 12 : 20, gap = 3, left = 8, name = Math.min(190, wide * 0.4);
    const across = Math.max(1, Math.floor((wide - left * 2) / (size + gap)));
    // The height is the same at all moments, so that nothing jumps.
    const rows = day.fleets.map(([, n]) => Math.max(1, Math.ceil(n / across)));
    const high = rows.reduce((sum, n) => sum + 20 + n * (size + gap) + 6, 0) + (day.bars.length + day.stores.length + 1) * 22 + 12;
    canvas.style.height = `${high}px`;
    canvas.width = wide * sharp;
    canvas.height = high * sharp;
    draw.setTransform(sharp, 0, 0, sharp, 0, 0);
    draw.clearRect(0, 0, wide, high);
    draw.font = "13px system-ui, sans-serif";
    draw.textBaseline = "middle";
    let y = 8, first = 0;
    const counts = { dead: 0, out: 0, full: 0 };
    day.fleets.forEach(([fleet, n, more], f) => {
      draw.fillStyle = ink.text;
      draw.fillText(more ? `${fleet} (${n} of ${n + more} servers shown)` : fleet, left, y + 8, wide - 2 * left);
      y += 20;
      for (let i = 0; i < n; i += 1) {
        const x = left + (i % across) * (size + gap), top = y + Math.floor(i / across) * (size + gap);
        const level = cell(first + i);
        if (level === DEAD) {
          counts.dead += 1;
          draw.fillStyle = ink.text;
          draw.fillRect(x, top, size, size);
          draw.strokeStyle = color("--paper");
          draw.lineWidth = 1.5;
          draw.beginPath();
          draw.moveTo(x + 4, top + 4); draw.lineTo(x + size - 4, top + size - 4);
          draw.moveTo(x + size - 4, top + 4); draw.lineTo(x + 4, top + size - 4);
          draw.stroke();
          continue;
        }
        const out = level >= PALE, share = (out ? level - PALE : level) / FULL;
        counts.out += out ? 1 : 0;
        counts.full += share >= 1 ? 1 : 0;
        draw.fillStyle = ink.out;
        draw.globalAlpha = out ? 0.45 : 1;
        draw.fillRect(x, top, size, size);
        draw.fillStyle = share >= 1 ? ink.bad : ink.blue;
        draw.fillRect(x, top + size * (1 - share), size, size * share);
        draw.globalAlpha = 1;
        draw.strokeStyle = out ? ink.muted : ink.blue;
        draw.lineWidth = 1;
        draw.setLineDash(out ? [2, 2] : []);
        draw.strokeRect(x + 0.5, top + 0.5, size - 1, size - 1);
        draw.setLineDash([]);
      }
      first += n;
      y += rows[f] * (size + gap) + 6;
    });
    const bar = (words, share, fill, value) => {
      draw.fillStyle = ink.muted;
      draw.fillText(words, left, y + 9, name - 8);
      const room = wide - name - left - 66;
      draw.fillStyle = ink.grid;
      draw.fillRect(name, y + 2, room, 14);
      draw.fillStyle = fill;
      draw.fillRect(name, y + 2, room * Math.min(1, share), 14);
      draw.fillStyle = ink.text;
      draw.fillText(value, name + room + 6, y + 9, 60);
      y += 22;
    };
    day.bars.forEach(([words, values]) => bar(words, values[at] / Math.max(1, ...values), ink.purple, compact(values[at])));
    day.stores.forEach(([store, states]) => {
      draw.fillStyle = ink.muted;
      draw.fillText(store, left, y + 9, name - 8);
      draw.fillStyle = states[at] ? ink.bad : ink.blue;
      draw.fillText(states[at] ? `\u25cb ${states[at]}` : "\u25cf in service", name, y + 9, wide - name - left);
      y += 22;
    });
    const offered = day.offered[at] || 0, dropped = day.dropped[at] || 0;
    const lost = offered ? dropped / offered : 0;
    bar("calls lost", lost, ink.bad, `${(100 * lost).toFixed(lost > 0 && lost < 0.1 ? 1 : 0)}%`);
    const words = [`${day.at[at]}`, `${compact(dropped)} of ${compact(offered)} calls lost`];
    if (counts.out) words.push(`${counts.out} of ${servers} servers out of rotation`);
    if (counts.dead) words.push(`${counts.dead} dead`);
    if (counts.full) words.push(`${counts.full} full`);
    day.stores.forEach(([store, states]) => { if (states[at]) words.push(`${store}: ${states[at]}`); });
    canvas.setAttribute("aria-label", words.join(", "));
    $("strip-time").textContent = day.at[at];
    $("strip-words").textContent = `${words.slice(1).join("; ")}.`;
    $("strip-at").value = at;
    $("strip-at").setAttribute("aria-valuetext", words.join(", "));
    cursor();
  };

  // The time in the pictures above and below, where they show it.
  const NS = "http://www.w3.org/2000/svg";
  const cursor = () => {
    document.querySelectorAll("#ask-answer svg[data-plot]").forEach((svg) => {
      const box = svg.querySelector("svg.plot");
      if (!box) return;
      const [from, top, wide, high] = box.getAttribute("viewBox").split(" ").map(Number);
      const [left, right] = svg.dataset.plot.split(" ").map(Number);
      const x = left + (day.at_s[at] / Number(svg.dataset.length)) * (right - left);
      let line = box.querySelector("rect.now");
      if (!line) { line = document.createElementNS(NS, "rect"); line.setAttribute("class", "now"); line.setAttribute("fill", "#1F2933"); box.append(line); }
      line.setAttribute("x", x);
      line.setAttribute("y", top);
      line.setAttribute("height", high);
      line.setAttribute("width", Math.max(1, wide / 350));
      line.style.display = x < from || x > from + wide ? "none" : "";
    });
  };

  const go = (to) => { at = Math.max(0, Math.min(day.servers.length - 1, to)); paint(); };
  const pause = () => { playing = false; $("strip-play").textContent = "play"; $("strip-play").setAttribute("aria-pressed", "false"); };
  const frame = (now) => {
    if (!playing) return;
    // A reader who wants less motion sees one picture after the other, a second each.
    const speed = still.matches ? 1 : SPEED * Number($("strip-speed").value);
    part += Math.min(0.5, (now - last) / 1000) * speed;
    last = now;
    const whole = Math.floor(part);
    part -= whole;
    if (whole) go(at + whole);
    if (at >= day.servers.length - 1) { pause(); return; }
    requestAnimationFrame(frame);
  };
  $("strip-play").addEventListener("click", () => {
    if (playing) { pause(); return; }
    if (at >= day.servers.length - 1) at = 0;
    playing = true;
    part = 0;
    last = performance.now();
    $("strip-play").textContent = "pause";
    $("strip-play").setAttribute("aria-pressed", "true");
    requestAnimationFrame(frame);
  });
  $("strip-back").addEventListener("click", () => { pause(); go(at - 1); });
  $("strip-on").addEventListener("click", () => { pause(); go(at + 1); });
  $("strip-at").addEventListener("input", () => { pause(); go(Number($("strip-at").value)); });
  addEventListener("resize", paint);
  document.getElementById("theme").addEventListener("click", () => setTimeout(paint, 0));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  window.brownout.watch = (strip) => {
    pause();
    day = strip;
    $("ask-strip").hidden = !day || !day.servers || !day.servers.length;
    if ($("ask-strip").hidden) return;
    $("strip-at").max = day.servers.length - 1;
    go(Math.min(at, day.servers.length - 1));
  };
})();
