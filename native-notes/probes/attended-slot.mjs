import { readdirSync, readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { median, probe } from './probe.mjs';

const TICKETS = 1500;
const INTERVAL_MS = 1;
const ROUNDS = 5;
const ATTEND_MS = 50;
const POSTED = 0;
const DONE = 1;

/** The task. Without shared memory: one ticket. With: attends to tickets until none has come for a while. */
export default function task(box) {
  if (box === undefined) return 1;
  const cells = new Int32Array(box);
  let ticket = Atomics.load(cells, POSTED);
  while (true) {
    Atomics.store(cells, DONE, ticket);
    Atomics.notify(cells, DONE);
    if (Atomics.wait(cells, POSTED, ticket, ATTEND_MS) === 'timed-out') return ticket;
    ticket = Atomics.load(cells, POSTED);
  }
}

/** CPU of the main thread and of all others, µs. */
function cpu() {
  const micros = thread => Number(readFileSync(`/proc/self/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  const threads = readdirSync('/proc/self/task');
  const main = micros(process.pid);
  return { main, others: threads.reduce((sum, thread) => sum + micros(thread), 0) - main };
}

/** One ticket a millisecond. The CPU of a ticket, µs. */
async function cost(hand) {
  const before = cpu();
  for (let ticket = 1; ticket <= TICKETS; ticket++) {
    await new Promise(resolve => setTimeout(resolve, INTERVAL_MS));
    hand(ticket);
  }
  const after = cpu();
  return { main: (after.main - before.main) / TICKETS, others: (after.others - before.others) / TICKETS };
}

if (isMainThread) {
  await probe('a thread that attends to shared memory costs less to hand to than one of a pool', async report => {
    if (process.platform !== 'linux') return report.skip('CPU of threads is read from /proc');
    const pool = new Piscina({ filename: new URL(import.meta.url).href, minThreads: 1, maxThreads: 1 });
    const box = new SharedArrayBuffer(8);
    const cells = new Int32Array(box);
    const ways = {
      nothing: () => {},
      pool: () => void pool.run(undefined),
      attended: ticket => {
        Atomics.store(cells, POSTED, ticket);
        if (ticket === 1) void pool.run(box);
        else Atomics.notify(cells, POSTED);
      },
    };
    const found = { nothing: [], pool: [], attended: [] };
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [way, hand] of Object.entries(ways)) {
        const figures = await cost(hand);
        if (round > 0) found[way].push(figures);
        // The attending thread goes back to its pool.
        await new Promise(resolve => setTimeout(resolve, 3 * ATTEND_MS));
      }
    }
    const beyondNothing = (way, part) => median(found[way].map(f => f[part])) - median(found.nothing.map(f => f[part]));
    const shown = way =>
      `${beyondNothing(way, 'main').toFixed(0)} µs of the sender, ${beyondNothing(way, 'others').toFixed(0)} of the other threads`;
    for (const way of ['pool', 'attended']) report.note(`${way}, one a millisecond: ${shown(way)}`);
    const whole = way => beyondNothing(way, 'main') + beyondNothing(way, 'others');
    const ratio = whole('attended') / whole('pool');
    report.check(ratio < 0.9, `attended to, a hand-over costs ${(100 * ratio).toFixed(0)} % of a round trip`);
    await pool.destroy();
  });
}
