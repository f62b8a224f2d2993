/** `npm run fuzz -- --frames N --messages N --seed S`: the fuzzers by hand, for as long as one likes. */
import { parseArgs } from 'node:util';
import { AnswerCheck } from './answers.js';
import { fuzzFeed } from './feed-fuzzer.js';
import { FuzzTarget, GROWTH_BYTES_MAX, MIB } from './target.js';
import { fuzzWire } from './wire-fuzzer.js';

const SYMBOLS = ['F1', 'F2', 'F3'];

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '1000000' },
    messages: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const seed = Number(values.seed);
const say = (line: string) => process.stdout.write(`${line}\n`);

say(`seed ${seed}: ${values.frames} frames over sockets, then ${values.messages} messages over NATS`);
const problems: string[] = [];
const answers = new AnswerCheck();
for (const part of ['sockets', 'NATS'] as const) {
  const target = await FuzzTarget.start(part === 'NATS' ? SYMBOLS : []);
  if (part === 'sockets') {
    const onProgress = (n: number) => say(`${n} frames`);
    const { url } = target.gateway;
    const result = await fuzzWire({
      url,
      frames: Number(values.frames),
      seed,
      tokens: target.tokens,
      answers,
      onProgress,
    });
    problems.push(...result.problems);
    say(`${result.framesSent} frames over ${result.connections} connections`);
  } else {
    const onProgress = (n: number) => say(`${n} messages`);
    await fuzzFeed({
      nats: target.publisher.nats,
      messages: Number(values.messages),
      seed,
      symbols: SYMBOLS,
      onProgress,
    });
  }
  problems.push(...(await target.problems()));
  say(`${part}: memory has grown by ${Math.round(target.grownBytes / MIB)} MiB, limit ${GROWTH_BYTES_MAX / MIB} MiB`);
  const code = await target.end();
  if (code !== 0) problems.push(`the gateway ended with ${code}`);
}
for (const [kind, count] of [...answers.seen].sort()) say(`${String(count).padStart(9)} ${kind}`);
for (const problem of problems) say(`PROBLEM ${problem}`);
if (problems.length > 0)
  say(`again with: npm run fuzz -- --frames ${values.frames} --messages ${values.messages} --seed ${seed}`);
else say('no problem found');
process.exitCode = problems.length > 0 ? 1 : 0;
