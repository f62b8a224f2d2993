/** The publisher of the closed loop: whole quotes onto NATS, in a process of its own, paced by what the clients received. */
import { connect, type NatsConnection } from 'nats';
import { serve } from '../harness/channel.js';
import { Pacer } from '../pacing/pacer.js';
import { ProgressReceiver } from '../pacing/progress.js';
import { symbolsOf } from './layout.js';
import type { NatsStart, PaceAnswer, PaceCommand } from './messages.js';
import { quoteAt, TICKS_PER_CYCLE } from './ticks.js';

interface Source {
  readonly subject: string;
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
    for (const source of this.#sources) this.#connection.publish(source.subject, source.payloads[TICKS_PER_CYCLE - 1]);
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
  const encoder = new TextEncoder();
  const sources = symbolsOf(command.layout).map(symbol => ({
    subject: `md.quotes.${symbol}`,
    payloads: Array.from({ length: TICKS_PER_CYCLE }, (_, tick) =>
      encoder.encode(JSON.stringify(quoteAt(symbol, tick, command.shape))),
    ),
  }));
  const publisher = new Publisher(connection, sources, command);
  await publisher.seed();
  return { publisher, receiver: await ProgressReceiver.listen(total => publisher.pacer.progress(total)) };
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
