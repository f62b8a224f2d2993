/** The publisher of the closed loop: quotes or books onto NATS, in a process of its own, paced by what the clients received. */
import { connect, type NatsConnection } from 'nats';
import { serve } from '../harness/channel.js';
import { Pacer } from '../pacing/pacer.js';
import { ProgressReceiver } from '../pacing/progress.js';
import { payloadOf } from './frames.js';
import { subjectOf, symbolsOf } from './layout.js';
import type { NatsStart, PaceAnswer, PaceCommand } from './messages.js';
import { bookAt, bookBefore, quoteAt, TICKS_PER_CYCLE } from './ticks.js';

interface Source {
  readonly subject: string;
  /** Published once, before the cycles: the symbol is then known and has data. */
  readonly seed: Uint8Array | undefined;
  /** One cycle of quotes, encoded once. */
  readonly payloads: readonly Uint8Array[];
}

class Publisher {
  readonly pacer: Pacer;

  readonly #connection: NatsConnection;
  readonly #sources: readonly Source[];

  constructor(connection: NatsConnection, sources: readonly Source[], start: NatsStart) {
    this.#connection = connection;
    this.#sources = sources;
    this.pacer = new Pacer(start.pace, (from, count) => this.#publish(from, count));
  }

  /** The tick before the first one of every symbol, so that every symbol is known and has data. */
  async seed(): Promise<void> {
    for (const source of this.#sources) {
      if (source.seed !== undefined) this.#connection.publish(source.subject, source.seed);
    }
    await this.#connection.flush();
  }

  #publish(from: number, count: number): void {
    const symbols = this.#sources.length;
    for (let update = from; update < from + count; update++) {
      const source = this.#sources[update % symbols];
      if (source === undefined) continue;
      this.#connection.publish(source.subject, source.payloads[Math.floor(update / symbols) % TICKS_PER_CYCLE]);
    }
  }
}

async function start(command: NatsStart): Promise<{ publisher: Publisher; receiver: ProgressReceiver }> {
  const connection = await connect({ servers: command.natsUrl, name: 'millrace-bench-publisher' });
  const sources = symbolsOf(command.layout).map((symbol, index) => sourceOf(command, symbol, index));
  const publisher = new Publisher(connection, sources, command);
  await publisher.seed();
  return { publisher, receiver: await ProgressReceiver.listen(total => publisher.pacer.progress(total)) };
}

function sourceOf({ shape, frames, format }: NatsStart, symbol: string, index: number): Source {
  const ticks = Array.from({ length: TICKS_PER_CYCLE }, (_, tick) => tick);
  const encoder = new TextEncoder();
  const encoded = (message: object): Uint8Array => encoder.encode(JSON.stringify(message));
  const subject = subjectOf(symbol, shape);
  if (frames !== undefined) {
    return { subject, seed: undefined, payloads: (frames[index] ?? []).map(frame => payloadOf(frame, format)) };
  }
  if (shape === 'depth') {
    return { subject, seed: encoded(bookBefore(symbol)), payloads: ticks.map(tick => encoded(bookAt(symbol, tick))) };
  }
  const payloads = ticks.map(tick => encoded(quoteAt(symbol, tick, shape)));
  return { subject, seed: payloads.at(-1), payloads };
}

let running: Publisher | undefined;

serve<PaceCommand<NatsStart>, PaceAnswer>(async command => {
  if (command.type === 'start') {
    const { publisher, receiver } = await start(command);
    running = publisher;
    return { type: 'started', progressPort: receiver.port, port: 0 };
  }
  if (running === undefined) throw new Error(`${command.type} before start`);
  const { pacer } = running;
  if (command.type === 'run') {
    pacer.start();
    return { type: 'running' };
  }
  pacer.stop();
  return { type: 'stopped', updates: pacer.updates, owed: pacer.owed, givenUp: pacer.givenUp };
});
