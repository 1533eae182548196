// The engine's own thread. It imports nothing into the engine, which therefore can compute and nothing else.
"use strict";
let engine = null;
const write = new TextEncoder();
const read = new TextDecoder();
const put = (bytes) => {
  const at = engine.room(bytes.length);
  if (!at) throw new Error("the question is too long");
  new Uint8Array(engine.memory.buffer, at, bytes.length).set(bytes);
};
const get = (at) => read.decode(new Uint8Array(engine.memory.buffer, at, engine.length()));
const begin = async ({ module, zones }) => {
  engine = (await WebAssembly.instantiate(module, {})).exports;
  zones.forEach(({ name, rules }) => {
    const word = write.encode(name);
    const both = new Uint8Array(word.length + rules.length);
    both.set(word);
    both.set(rules, word.length);
    put(both);
    engine.zone(word.length);
  });
};
let ready = null;
onmessage = async ({ data }) => {
  try {
    if (data.module) { ready = begin(data); await ready; return; }
    await ready;
    const { id, wish } = data;
    put(write.encode(JSON.stringify(wish)));
    const reading = JSON.parse(get(engine.wish()));
    postMessage({ id, reading });
    if (!wish.run || reading.mistakes) return;
    const begun = performance.now();
    for (let last = begun, done = 0; done >= 0 && done < 2;) {
      done = engine.advance();
      const now = performance.now();
      if (now - last > 60) { last = now; postMessage({ id, progress: Math.min(1, Math.max(0, done)) }); }
    }
    const answer = JSON.parse(get(engine.answer()));
    postMessage({ id, answer, took: performance.now() - begun });
  } catch (why) {
    postMessage({ id: data.id, trap: String(why) });
  }
};
