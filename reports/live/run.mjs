// Runs a scenario on the engine under Node: the digest, and how long it took.
//
//     node reports/live/run.mjs ENGINE SCENARIO ZONES [WISH]...
//
// ZONES is a JSON file, a list of zones with name and rules in base64; each WISH is the JSON of a wish without its text, or
// all of them come as lines on stdin where none is given. Used by tests/live.rs.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [engine, zones] = process.argv.slice(2);
const e = (await WebAssembly.instantiate(readFileSync(engine), {})).instance.exports;
const put = (bytes) => {
  const at = e.room(bytes.length);
  if (!at) throw new Error("too long");
  new Uint8Array(e.memory.buffer, at, bytes.length).set(bytes);
};
const get = (at) => Buffer.from(new Uint8Array(e.memory.buffer, at, e.length())).toString("utf8");
for (const { name, rules } of JSON.parse(zones || "[]")) {
  const word = Buffer.from(name);
  put(Buffer.concat([word, Buffer.from(rules, "base64")]));
  if (!e.zone(word.length)) throw new Error(`no zone ${name}`);
}
for await (const line of createInterface({ input: process.stdin })) {
  put(Buffer.from(line));
  const reading = JSON.parse(get(e.wish()));
  if (reading.mistakes) {
    console.log(JSON.stringify({ mistakes: reading.mistakes }));
    continue;
  }
  const begun = performance.now(), cpu = process.cpuUsage();
  let done = 0;
  while (done >= 0 && done < 2) done = e.advance();
  const answer = JSON.parse(get(e.answer()));
  const { digest, trouble, headline } = answer;
  console.log(JSON.stringify({ digest, trouble, headline: headline?.[0], ms: Math.round(performance.now() - begun), cpu_ms: Math.round(process.cpuUsage(cpu).user / 1000), bytes: e.memory.buffer.byteLength, strip: JSON.stringify(answer.strip).length }));
}
