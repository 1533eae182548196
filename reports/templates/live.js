// Asking again: what a reader changes becomes a wish, which the engine reads and runs in a thread of its own. Pictures and
// words come from the engine, where every word of the scenario has been escaped; whatever comes from the address or the text
// box is only ever set as text.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const make = (tag, properties = {}, ...inside) => {
    const part = Object.assign(document.createElement(tag), properties);
    part.append(...inside);
    return part;
  };
  const say = (words) => { $("ask-state").textContent = words; };
  // Bounds: on a text, on a link, and on how long a run may take before it is stopped.
  const TEXT = 1 << 20, LINK = 200000, CHANGES = 200, LONGEST = 120000;

  // What the page holds is compressed; so are texts in its address.
  const bytes_of = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const base64_of = (bytes) => { let text = ""; bytes.forEach((b) => { text += String.fromCharCode(b); }); return btoa(text); };
  const through = (bytes, stream) => new Blob([bytes]).stream().pipeThrough(stream);
  const unpack = async (bytes, most) => {
    const reader = through(bytes, new DecompressionStream("gzip")).getReader();
    const parts = [];
    let size = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      // A few bytes can stand for any number.
      if (size > most) { reader.cancel(); throw new Error("it is too long"); }
      parts.push(value);
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  };
  const pack = async (text) => new Uint8Array(await new Response(through(new TextEncoder().encode(text), new CompressionStream("gzip"))).arrayBuffer());
  const words_of = (bytes) => new TextDecoder().decode(bytes);

  let data = null, module = null, zones = [];
  let worker = null, busy = false, wished = 0, stopping = 0, retry = null;
  // What is asked for now.
  let state = null;
  // The day beside which the answer stands.
  let was = null;
  let reading = null;

  const file_of = () => data.scenarios.find((file) => file.name === state.file) || data.scenarios[0];
  const text_of = () => (state.text === null ? file_of().text : state.text);

  // The thread, and the newest wish in it -----------------------------------------------------------------------------
  const hire = () => {
    const code = new Blob([$("live-worker").textContent], { type: "text/javascript" });
    const url = URL.createObjectURL(code);
    worker = new Worker(url);
    worker.onmessage = ({ data: told }) => hear(told);
    worker.onerror = (event) => { event.preventDefault(); hear({ id: wished, trap: event.message || "the thread ended" }); };
    worker.postMessage({ module, zones });
  };
  const dismiss = () => {
    if (worker) worker.terminate();
    worker = null;
    busy = false;
    clearTimeout(stopping);
    $("ask-cancel").disabled = true;
    $("ask-progress").value = 0;
    $("ask-answer").classList.remove("busy");
  };
  const design_of = () => {
    const design = [];
    Object.entries(state.axes).forEach(([axis, point]) => { if (point) design.push(`${axis}=${point}`); });
    return design.concat(state.named);
  };
  const sets_of = () => state.base_sets.concat(Object.entries(state.sets).map(([path, value]) => `${path}=${value}`));
  const wish = (run) => {
    if (!module) { retry = run; return; }
    if (busy) dismiss();
    if (!worker) hire();
    busy = true;
    wished += 1;
    $("ask-cancel").disabled = false;
    if (run) { say("reading"); $("ask-answer").classList.add("busy"); }
    clearTimeout(stopping);
    stopping = setTimeout(() => { dismiss(); say(`Stopped after ${LONGEST / 1000} seconds: the command has more time.`); }, LONGEST);
    worker.postMessage({
      id: wished,
      wish: { name: state.file, text: text_of(), design: design_of(), set: sets_of(), seed: state.seed, most: (was && was.answer.most) || 0, run },
    });
    if (run) remember();
  };
  const hear = (told) => {
    if (told.id !== wished) return;
    if (told.trap !== undefined) {
      const words = /stack|recursion/i.test(told.trap) ? "the text nests too deeply" : told.trap;
      dismiss();
      say(`The engine gave up (${words}). It has a bounded amount of memory; the command may have more.`);
    } else if (told.reading) {
      take(told.reading);
    } else if (told.progress !== undefined) {
      $("ask-progress").value = told.progress;
      say(`running: ${Math.floor(told.progress * 20) * 5}%`);
    } else if (told.answer) {
      busy = false;
      clearTimeout(stopping);
      $("ask-cancel").disabled = true;
      $("ask-progress").value = 1;
      $("ask-answer").classList.remove("busy");
      show(told.answer, told.took);
    }
  };
  const cancel = () => { if (busy) { wished += 1; dismiss(); say("Cancelled."); } };

  // What was found in a wish: mistakes, sliders, switches ---------------------------------------------------------------
  const take = (found) => {
    const bad = $("ask-mistakes"), warned = $("ask-warnings");
    bad.hidden = !found.mistakes;
    bad.textContent = found.mistakes;
    warned.hidden = !found.warnings;
    warned.textContent = found.warnings;
    $("ask-text").setAttribute("aria-invalid", String(Boolean(found.mistakes)));
    if (found.mistakes) { busy = false; clearTimeout(stopping); $("ask-cancel").disabled = true; $("ask-answer").classList.remove("busy"); say("There are mistakes: nothing was run."); }
    // Of a text with mistakes nothing is known: the controls stay as they were.
    if (!found.title) return;
    reading = found;
    switches();
    sliders();
    if (!state.run_wanted && !found.mistakes) { busy = false; clearTimeout(stopping); $("ask-cancel").disabled = true; }
  };
  const switches = () => {
    const box = $("ask-axes");
    const shape = JSON.stringify([reading.axes, reading.designs]);
    if (box.dataset.shape !== shape) {
      box.dataset.shape = shape;
      box.replaceChildren(make("legend", { textContent: "Designs" }));
      reading.axes.forEach((axis) => {
        const choice = make("select");
        choice.dataset.axis = axis.name;
        if (!axis.default) choice.append(make("option", { value: "", textContent: "(none)" }));
        axis.points.forEach((point) => choice.append(make("option", { value: point, textContent: point })));
        choice.dataset.default = axis.default;
        choice.addEventListener("change", () => {
          if (choice.value === axis.default) delete state.axes[axis.name]; else state.axes[axis.name] = choice.value;
          changed();
        });
        box.append(make("label", {}, `${axis.name} `, choice));
      });
      reading.designs.forEach((name) => {
        const tick = make("input", { type: "checkbox" });
        tick.dataset.design = name;
        tick.addEventListener("change", () => { state.named = state.named.filter((other) => other !== name).concat(tick.checked ? [name] : []); changed(); });
        box.append(make("label", {}, tick, ` ${name}`));
      });
    }
    box.querySelectorAll("select").forEach((choice) => { choice.value = state.axes[choice.dataset.axis] || choice.dataset.default; });
    box.querySelectorAll("input").forEach((tick) => { tick.checked = state.named.includes(tick.dataset.design); });
    box.hidden = !reading.axes.length && !reading.designs.length;
  };
  const sliders = () => {
    const box = $("ask-sliders");
    const shape = JSON.stringify(reading.numbers);
    $("ask-numbers").hidden = !reading.numbers.length;
    $("ask-count").textContent = `(${reading.numbers.length})`;
    if (box.dataset.shape !== shape) {
      const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.path : null;
      box.dataset.shape = shape;
      box.replaceChildren();
      let group = null, inside = box;
      reading.numbers.forEach((number, i) => {
        const parts = number.path.split(".");
        const head = parts.slice(0, Math.min(2, parts.length - 1)).join(".");
        if (head !== group) {
          group = head;
          inside = make("div", { className: "group" }, make("h4", { textContent: head || "the scenario" }));
          box.append(inside);
        }
        inside.append(slider(number, parts.slice(head ? head.split(".").length : 0).join("."), i));
      });
      const again = focused && [...box.querySelectorAll("input")].find((input) => input.dataset.path === focused);
      if (again) again.focus();
    }
    box.querySelectorAll("input").forEach((input) => input.place());
  };
  const slider = (number, name, i) => {
    const last = number.stops.length - 1;
    const input = make("input", { type: "range", min: 0, max: last, step: 1, id: `number-${i}` });
    input.dataset.path = number.path;
    const shown = make("output");
    const back = make("button", { type: "button", textContent: "as in the file" });
    back.setAttribute("aria-label", `${number.path}: as in the file`);
    const notch = make("i");
    // A thumb's middle does not reach the ends of its track.
    notch.style.left = `calc(8px + (100% - 16px) * ${number.at / last})`;
    const row = make("div", { className: "number" },
      make("label", { htmlFor: input.id }, make("span", { textContent: name }), shown),
      make("div", { className: "track" }, input, notch),
      make("small", {}, make("span", { textContent: `${number.stops[0]} to ${number.stops[last]}${number.log ? ", by ratio" : ""}; file: ${number.stops[number.at]}` }), back));
    const tell = () => {
      const value = number.stops[Number(input.value)];
      const there = Number(input.value) === number.at;
      shown.textContent = value;
      input.setAttribute("aria-valuetext", there ? `${value}, as in the file` : value);
      input.setAttribute("aria-label", number.path);
      row.classList.toggle("moved", !there || number.path in state.sets);
    };
    const set = () => {
      const at = Number(input.value);
      if (at === number.at) delete state.sets[number.path]; else state.sets[number.path] = number.stops[at];
      tell();
      changed();
    };
    input.place = () => {
      const value = state.sets[number.path];
      const at = value === undefined ? number.at : number.stops.indexOf(value);
      input.value = at < 0 ? number.at : at;
      tell();
      // A link may carry a value that is no stop.
      if (at < 0) shown.textContent = value;
    };
    input.addEventListener("input", tell);
    input.addEventListener("change", set);
    back.addEventListener("click", () => { input.value = number.at; set(); input.focus(); });
    return row;
  };

  // A change runs soon; several in a row run once.
  let soon = 0;
  const changed = () => { clearTimeout(soon); state.run_wanted = true; soon = setTimeout(() => wish(true), 150); };
  const read_only = () => { clearTimeout(soon); state.run_wanted = false; soon = setTimeout(() => wish(false), 350); };

  // The answer, beside what was ----------------------------------------------------------------------------------------
  const side = (head, answer, is) => make("div", { className: is ? "side is" : "side" },
    make("span", { className: "note", textContent: head }), make("b", { textContent: answer.headline[0] || "" }),
    ...answer.headline.slice(1).map((words) => make("p", { textContent: words })),
    make("p", { className: "note", textContent: `${answer.design}; seed ${answer.seed}` }));
  const html = (id, ...parts) => { $(id).innerHTML = parts.filter(Boolean).join("\n"); };
  const headed = (words, figure) => figure.replace(/(<figure[^>]*>)/, `$1<figcaption>${words}</figcaption>`);
  const changes = () => {
    const all = design_of().concat(sets_of());
    if (state.text !== null) all.unshift("the text as written above");
    return all.length ? all.join(", ") : "as the file says";
  };
  const show = (answer, took) => {
    if (!answer.digest) { say(answer.trouble); return; }
    const old = was && was.answer;
    $("ask-was").replaceChildren(...(old ? [side(`As it was: ${was.label}`, old, false)] : []));
    $("ask-is").replaceChildren(side(`Asked again: ${changes()}`, answer, true));
    html("ask-dropped", old && headed("as it was", old.dropped), headed(old ? "asked again" : "", answer.dropped));
    html("ask-rotation", old && headed("as it was", old.rotation), headed(old ? "asked again" : "", answer.rotation));
    html("ask-causes", old && headed("as it was", old.causes), headed(old ? "asked again" : "", answer.causes));
    html("ask-evidence", old && old.evidence && `<h4>As it was</h4>${old.evidence}<h4>Asked again</h4>`, answer.evidence);
    html("ask-ledger", old && `<h4>As it was</h4>${old.ledger}<h4>Asked again</h4>`, answer.ledger);
    const wider = old && answer.most > old.most * 1.001;
    $("ask-axis").hidden = !wider;
    if (wider) $("ask-axis").textContent = "The two axes differ: more is dropped a minute in the new run than the old axis reaches.";
    const own = state.text !== null;
    $("ask-repeat-words").textContent = own ? `The text has been changed: save it (the button above) as ${state.file}, then` : "This command gives the same run:";
    $("ask-repeat").textContent = answer.repeat;
    $("ask-digest").textContent = answer.digest;
    $("ask-answer").hidden = false;
    document.querySelectorAll("#ask-answer svg[data-plot]").forEach((svg) => window.brownout.adopt(svg));
    window.brownout.watch(answer.strip);
    const headline = answer.headline[0] || "";
    say(`${answer.trouble ? `${answer.trouble} ` : ""}Done in ${(took / 1000).toFixed(1)} s: ${headline}`);
    window.brownout.last = { answer, took };
    // Without a day to stand beside, a file's own day is what later answers stand beside.
    if (!was && state.text === null && !design_of().length && !sets_of().length) was = { label: "as the file says", answer };
  };

  // The address -----------------------------------------------------------------------------------------------------------
  let own_address = "";
  const remember = async () => {
    const link = new URLSearchParams();
    if (state.file !== data.scenarios[0].name) link.set("file", state.file);
    if (state.day !== 0) link.set("day", String(state.day));
    if (state.seed !== state.day_seed) link.set("seed", state.seed);
    Object.entries(state.axes).forEach(([axis, point]) => link.append("axis", `${axis}=${point}`));
    state.named.forEach((name) => link.append("design", name));
    Object.entries(state.sets).forEach(([path, value]) => link.append("set", `${path}=${value}`));
    if (state.text !== null) {
      const packed = base64_of(await pack(state.text)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
      if (packed.length > LINK) { $("ask-link").textContent = "the text is too long for a link"; return; }
      link.set("text", packed);
    }
    own_address = `#ask?${link}`;
    $("ask-link").textContent = "this one";
    $("ask-link").href = own_address;
    if (location.hash !== own_address) {
      try { history.replaceState(null, "", own_address); } catch { location.replace(own_address); }
    }
  };
  const pairs = (texts, most) => Object.fromEntries(texts.slice(0, most).filter((text) => text.includes("=")).map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]));
  const recall = async () => {
    if (!location.hash.startsWith("#ask?") || location.hash === own_address) return false;
    if (location.hash.length > LINK * 1.5) { say("The address is too long to be one of this page's."); return false; }
    const link = new URLSearchParams(location.hash.slice(5));
    const file = data.scenarios.find((one) => one.name === link.get("file"));
    fresh(file ? file.name : data.scenarios[0].name, Number(link.get("day")) || 0);
    if (link.has("seed")) state.seed = link.get("seed").slice(0, 20);
    if (link.has("axis") || link.has("design")) { state.axes = pairs(link.getAll("axis"), CHANGES); state.named = link.getAll("design").slice(0, CHANGES); }
    state.sets = pairs(link.getAll("set"), CHANGES);
    if (link.has("text")) {
      try {
        state.text = words_of(await unpack(bytes_of(link.get("text").replaceAll("-", "+").replaceAll("_", "/")), TEXT));
      } catch (why) { say(`The text in the address cannot be read: ${why.message || why}`); return false; }
      $("ask-text-d").open = true;
    }
    controls();
    changed();
    return true;
  };

  // From the beginning --------------------------------------------------------------------------------------------------
  const fresh = (file, at) => {
    const own = file === data.scenarios[0].name;
    const day = own ? data.days[at] || data.days[0] : null;
    state = { file, day: day ? data.days.indexOf(day) : 0, text: null, axes: {}, named: [], sets: {}, base_sets: [], seed: "1", day_seed: "1", run_wanted: false };
    was = day || null;
    if (!day) return;
    state.seed = day.answer.seed;
    state.day_seed = state.seed;
    state.base_sets = day.set;
    day.design.flatMap((text) => text.split(/[, ]+/)).filter(Boolean).forEach((word) => {
      const [axis, point] = word.split("=");
      if (point !== undefined) state.axes[axis] = point; else state.named.push(word);
    });
  };
  const controls = () => {
    $("ask-seed").value = state.seed;
    $("ask-text").value = text_of();
    $("ask-file").value = state.file;
    $("ask-day").value = String(state.day);
    $("ask-day-l").hidden = data.days.length < 2 || state.file !== data.scenarios[0].name;
    if (reading) { switches(); sliders(); }
  };
  const again = () => { $("ask-answer").hidden = true; $("ask-axes").dataset.shape = ""; controls(); };
  const load = async () => {
    if (typeof DecompressionStream === "undefined" || typeof WebAssembly === "undefined" || typeof Worker === "undefined") {
      $("ask-desk").hidden = false;
      say("This browser is too old to ask again: it needs WebAssembly and DecompressionStream. The rest of the page works.");
      return;
    }
    data = JSON.parse(words_of(await unpack(bytes_of($("live-data").textContent.trim()), 64 << 20)));
    zones = data.zones.map(({ name, rules }) => ({ name, rules: bytes_of(rules) }));
    data.scenarios.forEach((file) => $("ask-file").append(make("option", { value: file.name, textContent: file.title ? `${file.name}: ${file.title}` : file.name })));
    $("ask-file-l").hidden = data.scenarios.length < 2;
    data.days.forEach((day, i) => $("ask-day").append(make("option", { value: String(i), textContent: day.label })));
    fresh(data.scenarios[0].name, 0);
    controls();
    // On a small screen the answer would stand far below.
    if (innerWidth < 700) $("ask-numbers").open = false;
    $("ask-desk").hidden = false;
    say("The engine is being made ready.");
    module = await WebAssembly.compile(await unpack(bytes_of($("live-engine").textContent.trim()), 16 << 20));
    say("Ready: change something, and it is run again.");
    if (!(await recall())) wish(retry === true);
  };

  $("ask-file").addEventListener("change", () => { fresh($("ask-file").value, 0); reading = null; again(); changed(); });
  $("ask-day").addEventListener("change", () => { fresh(state.file, Number($("ask-day").value)); again(); changed(); });
  $("ask-seed").addEventListener("change", () => { state.seed = $("ask-seed").value.trim(); changed(); });
  $("ask-die").addEventListener("click", () => {
    // The next one, not a random one: the same steps lead to the same page.
    state.seed = /^[0-9]{1,18}$/.test(state.seed) ? String(BigInt(state.seed) + 1n) : "1";
    $("ask-seed").value = state.seed;
    changed();
  });
  $("ask-run").addEventListener("click", changed);
  $("ask-cancel").addEventListener("click", cancel);
  $("ask-reset").addEventListener("click", () => { fresh(state.file, state.day); again(); cancel(); state.run_wanted = false; wish(false); say("As it was."); });
  const box = $("ask-text");
  const typed = () => { state.text = box.value === file_of().text ? null : box.value; };
  box.addEventListener("input", () => { typed(); read_only(); });
  box.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); typed(); changed(); } });
  $("ask-text-run").addEventListener("click", () => { typed(); changed(); });
  $("ask-text-back").addEventListener("click", () => { state.text = null; box.value = text_of(); read_only(); });
  $("ask-text-save").addEventListener("click", () => {
    const link = make("a", { href: URL.createObjectURL(new Blob([text_of()], { type: "application/toml" })), download: state.file.split(/[\\/]/).pop() || "scenario.toml" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
  addEventListener("hashchange", () => { if (data && module) recall(); });
  // After the page is drawn.
  const start = () => load().catch((why) => { $("ask-desk").hidden = false; say(`The engine cannot be started: ${why.message || why}`); });
  addEventListener("load", () => (window.requestIdleCallback ? requestIdleCallback(start, { timeout: 1000 }) : setTimeout(start, 200)));
})();
