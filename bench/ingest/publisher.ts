/**
 * A publisher that costs next to nothing, so that what takes the messages in is the limit: whole batches of PUB commands,
 * encoded before anything is measured, written as they are.
 */
import { symbolAt } from '../fanout/layout.js';
import { quoteAt } from '../fanout/ticks.js';
import { serve } from '../harness/channel.js';
import { WireConnection, withoutHeader } from '../open-loop/nats-wire.js';
import { Pacer } from '../pacing/pacer.js';
import { ProgressReceiver } from '../pacing/progress.js';
import type { FeedAnswer, FeedCommand } from './messages.js';

/** Two are enough for every update to differ from the one before. */
const TICKS = 2;

interface Running {
  readonly connection: WireConnection;
  readonly batches: readonly Buffer[];
  pacer: Pacer | undefined;
}

/** By tick, then by symbol, cut into batches. */
function encode(symbols: number, batch: number): Buffer[] {
  const batches: Buffer[] = [];
  for (let tick = 0; tick < TICKS; tick++) {
    for (let first = 0; first < symbols; first += batch) {
      const messages = Array.from({ length: batch }, (_, i) => {
        const symbol = symbolAt(first + i);
        return withoutHeader(`md.quotes.${symbol}`, JSON.stringify(quoteAt(symbol, tick, 'tick'))).bytes;
      });
      batches.push(Buffer.concat(messages));
    }
  }
  return batches;
}

let running: Running | undefined;

serve<FeedCommand, FeedAnswer>(async command => {
  if (command.type === 'start') {
    const { natsUrl, symbols, batch } = command;
    if (symbols % batch !== 0) throw new RangeError(`${symbols} symbols are no whole number of batches of ${batch}`);
    const feed: Running = {
      connection: await WireConnection.open(natsUrl),
      batches: encode(symbols, batch),
      pacer: undefined,
    };
    running = feed;
    const receiver = await ProgressReceiver.listen(total => feed.pacer?.progress(total));
    return { type: 'started', progressPort: receiver.port };
  }
  if (running === undefined) throw new Error(`${command.type} before start`);
  const { connection, batches } = running;
  if (command.type === 'seed') {
    // The last tick: the first one then differs from it.
    for (const batch of batches.slice(batches.length / TICKS)) connection.write(batch);
    await connection.flush();
    return { type: 'seeded' };
  }
  if (command.type === 'run') {
    let next = 0;
    running.pacer = new Pacer(command.pace, () => {
      connection.write(batches[next] ?? Buffer.alloc(0));
      next = (next + 1) % batches.length;
    });
    running.pacer.start();
    return { type: 'running' };
  }
  const { pacer } = running;
  pacer?.stop();
  await connection.flush();
  return { type: 'stopped', updates: pacer?.updates ?? 0, owed: pacer?.owed ?? 0, givenUp: pacer?.givenUp ?? 0 };
});
