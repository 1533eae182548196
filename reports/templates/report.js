// What a reader may do with the page: choose designs, hover for values, zoom the time axis, choose light or dark.
// Nothing is shown by this script that the page does not show without it, and nothing leaves the page.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const NS = "http://www.w3.org/2000/svg";
  const live = document.getElementById("live");
  const tip = document.getElementById("tip");
  all(".tools").forEach((tools) => { tools.hidden = false; });

  // Light and dark.
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const sayTheme = () => { theme.textContent = isDark() ? "light" : "dark"; theme.setAttribute("aria-pressed", String(isDark())); };
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; sayTheme(); });
  dark.addEventListener("change", sayTheme);
  sayTheme();

  // Designs.
  const boxes = all("input[data-toggle]");
  const show = () => {
    boxes.forEach((box) => all(`[data-day="${box.dataset.toggle}"]`).forEach((part) => { part.hidden = !box.checked; }));
  };
  boxes.forEach((box) => {
    box.checked = box.dataset.first === "yes";
    box.addEventListener("change", () => {
      show();
      live.textContent = `${box.parentElement.textContent.trim()} ${box.checked ? "shown" : "hidden"}`;
    });
  });
  show();
  addEventListener("beforeprint", () => all("details").forEach((part) => { part.open = true; }));

  // The time axis, one for all pictures.
  const plot_of = (svg) => {
    const [left, right, top, bottom] = svg.dataset.plot.split(" ").map(Number);
    const windowed = svg.querySelector("svg.plot");
    const axis = svg.querySelector("g.axis");
    const data = document.getElementById(`data-${svg.parentElement.id}`);
    return {
      svg, left, right, top, bottom, windowed, axis, original: axis.innerHTML,
      size: Number(axis.querySelector("text")?.getAttribute("font-size") || 24),
      length: Number(svg.dataset.length), start: svg.dataset.start === "" ? null : Number(svg.dataset.start),
      data: data ? JSON.parse(data.textContent) : null,
    };
  };
  const plots = all("svg[data-plot]").map(plot_of);
  const length = Math.max(1, ...plots.map((plot) => plot.length));
  let view = [0, length];

  const two = (n) => String(n).padStart(2, "0");
  const clock = (plot, t, seconds) => {
    if (plot.start === null) return `${Math.round(t * 10) / 10} s`;
    const at = Math.floor(plot.start + t + 1e-6);
    const day = Math.floor(at / 86400);
    const text = `${two(Math.floor(at / 3600) % 24)}:${two(Math.floor(at / 60) % 60)}` + (seconds ? `:${two(at % 60)}` : "");
    return day > 0 ? `${text} +${day}d` : text;
  };
  const EVERY = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  const draw = (name, attributes, words) => {
    const part = document.createElementNS(NS, name);
    Object.entries(attributes).forEach(([key, value]) => part.setAttribute(key, value));
    if (words) part.textContent = words;
    return part;
  };
  const ticks = (plot) => {
    const [from, to] = view;
    const most = Math.max(2, Math.floor((plot.right - plot.left) / (plot.size * 4.6)));
    const every = EVERY.find((step) => (to - from) / step <= most) || Math.ceil((to - from) / most / 86400) * 86400;
    const start = plot.start === null ? 0 : plot.start;
    plot.axis.replaceChildren(draw("polyline", { fill: "none", stroke: "#5B6775", "stroke-width": 2, points: `${plot.left},${plot.bottom} ${plot.right},${plot.bottom}` }));
    for (let at = Math.ceil((start + from) / every) * every; at <= start + to; at += every) {
      const x = plot.left + ((at - start - from) / (to - from)) * (plot.right - plot.left);
      plot.axis.append(
        draw("polyline", { fill: "none", stroke: "#E3E7EC", "stroke-width": 1, points: `${x},${plot.top} ${x},${plot.bottom}` }),
        draw("text", { x, y: plot.bottom + plot.size * 1.35, "text-anchor": "middle", "font-size": plot.size, fill: "#5B6775" }, clock(plot, at - start, every < 60)),
      );
    }
  };
  const zoom = (from, to) => {
    const least = Math.min(10, length);
    const wide = Math.min(length, Math.max(least, to - from));
    const begin = Math.min(Math.max(0, from), length - wide);
    view = [begin, begin + wide];
    const whole = wide >= length;
    plots.forEach((plot) => {
      const scale = (plot.right - plot.left) / plot.length;
      const box = whole ? [plot.left, plot.right - plot.left] : [plot.left + view[0] * scale, wide * scale];
      plot.windowed.setAttribute("viewBox", `${box[0]} ${plot.top} ${box[1]} ${plot.bottom - plot.top}`);
      plot.svg.classList.toggle("zoomed", !whole);
      if (whole) plot.axis.innerHTML = plot.original; else ticks(plot);
    });
    const said = whole || !plots.length ? "the whole run" : `${clock(plots[0], view[0], true)} to ${clock(plots[0], view[1], true)}`;
    all("[data-range]").forEach((part) => { part.textContent = said; });
    live.textContent = `time axis: ${said}`;
  };
  const around = (factor, part = 0.5) => {
    const wide = (view[1] - view[0]) * factor;
    const at = view[0] + (view[1] - view[0]) * part;
    zoom(at - wide * part, at + wide * (1 - part));
  };
  const shift = (part) => { const by = (view[1] - view[0]) * part; zoom(view[0] + by, view[1] + by); };
  const actions = { in: () => around(0.5), out: () => around(2), left: () => shift(-0.25), right: () => shift(0.25), all: () => zoom(0, length) };
  all("button[data-zoom]").forEach((button) => button.addEventListener("click", actions[button.dataset.zoom]));
  const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", 0: "all", Home: "all", Escape: "all" };

  // Values.
  const place = (x, y) => {
    tip.style.left = `${Math.max(4, Math.min(innerWidth - tip.offsetWidth - 8, x + 14))}px`;
    tip.style.top = `${y + tip.offsetHeight + 20 > innerHeight ? y - tip.offsetHeight - 10 : y + 16}px`;
  };
  const say = (words, x, y) => { tip.textContent = words; tip.hidden = false; place(x, y); };
  const hush = () => { tip.hidden = true; };
  const shown = (value) => (value === null || value === undefined ? "none" : value.toLocaleString("en", { maximumSignificantDigits: 4 }));
  const valuesAt = (plot, t) => {
    const index = Math.max(0, Math.min(plot.data.n - 1, Math.floor(t / plot.data.d)));
    const lines = plot.data.s.map((series) => {
      const high = series.h ? `, at most ${shown(series.h[index])}` : "";
      return `${series.name}: ${shown(series.v[index])}${high}`;
    });
    return [clock(plot, index * plot.data.d, plot.data.d < 60), ...lines].join("\n");
  };
  const listen = (plot) => {
    const { svg } = plot;
    svg.setAttribute("tabindex", "0");
    const part = (event) => {
      const box = svg.getBoundingClientRect();
      const [, , width] = svg.getAttribute("viewBox").split(" ").map(Number);
      const x = ((event.clientX - box.left) / box.width) * width;
      return (x - plot.left) / (plot.right - plot.left);
    };
    const at = (share) => view[0] + share * (view[1] - view[0]);
    let pressed = null;
    const mark = draw("rect", { class: "mark", fill: "#5B6775", opacity: 0.35, y: plot.top, height: plot.bottom - plot.top, width: 2, x: plot.left });
    mark.style.display = "none";
    svg.append(mark);
    const cursor = (from, to) => {
      const wide = plot.right - plot.left;
      mark.setAttribute("x", plot.left + Math.min(from, to) * wide);
      mark.setAttribute("width", Math.max(2, Math.abs(to - from) * wide));
      mark.style.display = "";
    };
    svg.addEventListener("pointerdown", (event) => {
      const share = part(event);
      if (event.button === 0 && share >= 0 && share <= 1 && event.pointerType !== "touch") { pressed = share; event.preventDefault(); svg.focus(); }
    });
    svg.addEventListener("pointermove", (event) => {
      const share = part(event);
      if (share < 0 || share > 1) { if (pressed === null) { hush(); mark.style.display = "none"; } return; }
      cursor(pressed === null ? share : pressed, share);
      if (plot.data && pressed === null) say(valuesAt(plot, at(share)), event.clientX, event.clientY);
    });
    svg.addEventListener("pointerup", (event) => {
      const share = Math.max(0, Math.min(1, part(event)));
      if (pressed !== null && Math.abs(share - pressed) > 0.02) {
        const [a, b] = [at(pressed), at(share)];
        zoom(Math.min(a, b), Math.max(a, b));
      }
      pressed = null;
    });
    svg.addEventListener("pointerleave", () => { pressed = null; hush(); mark.style.display = "none"; });
    svg.addEventListener("dblclick", actions.all);
    svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      around(event.deltaY < 0 ? 0.7 : 1 / 0.7, Math.max(0, Math.min(1, part(event))));
    }, { passive: false });
    // The keyboard: + - and the arrows move the window, a comma and a full stop the cursor in it.
    let walk = 0.5;
    svg.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const action = keys[event.key];
      if (action) { event.preventDefault(); actions[action](); return; }
      if ((event.key === "," || event.key === ".") && plot.data) {
        walk = Math.max(0, Math.min(0.999, walk + (event.key === "," ? -0.01 : 0.01)));
        cursor(walk, walk);
        const box = svg.getBoundingClientRect();
        const words = valuesAt(plot, at(walk));
        say(words, box.left + box.width / 2, box.top + box.height / 2);
        live.textContent = words;
      }
    });
    svg.addEventListener("blur", () => { hush(); mark.style.display = "none"; });
  };
  plots.forEach(listen);
  // Pictures that come later, over the same time, zoom along; those that have left the page are forgotten.
  window.brownout = {
    adopt: (svg) => {
      const plot = plot_of(svg);
      for (let i = plots.length - 1; i >= 0; i -= 1) if (!plots[i].svg.isConnected) plots.splice(i, 1);
      if (plot.length !== length) return;
      plots.push(plot);
      listen(plot);
      if (view[1] - view[0] < length) zoom(...view);
    },
  };

  // Cells of a matrix tell more: one stop of the tab key for each table, arrows inside it.
  all("table.heat").forEach((table) => {
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].filter((cell) => cell.dataset.tip));
    const first = rows.find((row) => row.length);
    if (first) first[0].tabIndex = 0;
    const tell = (cell) => { const box = cell.getBoundingClientRect(); say(cell.dataset.tip, box.left, box.bottom); };
    rows.forEach((row, i) => row.forEach((cell, j) => {
      cell.removeAttribute("title");
      cell.addEventListener("pointerenter", () => tell(cell));
      cell.addEventListener("pointerleave", hush);
      cell.addEventListener("blur", hush);
      cell.addEventListener("focus", () => { tell(cell); live.textContent = cell.dataset.tip; });
      cell.addEventListener("keydown", (event) => {
        const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] || [0, 0];
        const next = down || right ? rows[i + down]?.[j + right] : null;
        if (next) { event.preventDefault(); cell.tabIndex = -1; next.tabIndex = 0; next.focus(); }
      });
    }));
  });
  addEventListener("scroll", hush, { passive: true });
})();
