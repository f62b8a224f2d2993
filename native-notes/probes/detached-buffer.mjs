/**
 * What one detached ArrayBuffer costs its thread: V8 compiles typed arrays and DataViews without a look at whether their memory
 * is still there, until the first buffer of the isolate is transferred; from then on each access looks.
 */
import { median, probe } from './probe.mjs';

const ROUNDS = 7;
const MESSAGES = 100_000;
const known = new Uint8Array(40).fill(0x20);
const words = new Int32Array(4).fill(0x20202020);
const bytes = new Uint8Array(64 * 1024);
const view = new DataView(bytes.buffer);

/** As an encoder writes a patch: copies of a long and of a short text, some digits. */
function write() {
  let at = 0;
  for (let operation = 0; operation < 7; operation++) {
    bytes.set(known, at);
    at += known.length;
    for (let i = 0; i < words.length; i++, at += 4) view.setInt32(at, words[i], true);
    for (let digit = 0; digit < 6; digit++) bytes[at++] = 0x30 + digit;
  }
  return at;
}

function nanosOfWriting() {
  const rounds = [];
  // The first ones are the compiler's.
  for (let round = -2; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < MESSAGES; i++) write();
    if (round >= 0) rounds.push(((performance.now() - start) * 1e6) / MESSAGES);
  }
  return median(rounds);
}

await probe('a buffer that was transferred makes all typed arrays of its thread slower', async ({ check, note }) => {
  const before = nanosOfWriting();
  const lent = new ArrayBuffer(8);
  structuredClone(lent, { transfer: [lent] });
  const after = nanosOfWriting();
  note(`a message of 7 operations: ${before.toFixed(0)} ns before any transfer, ${after.toFixed(0)} after one`);
  check(after > before * 1.05, `writing takes ${(after / before).toFixed(2)} of the time from then on`);
});
