/** The benchmark's end of a load generator process. */
import { Channel } from '../harness/channel.js';
import type { Child, Children } from '../harness/children.js';
import type { LoadAnswer, LoadCommand, LoadPlan, LoadReport } from './messages.js';

/** Above this event-loop utilisation a round may have measured the generator instead of the server. */
export const GENERATOR_BOUND_UTILISATION = 0.9;

export class LoadGenerator {
  readonly #channel: Channel<LoadCommand, LoadAnswer>;

  private constructor(channel: Channel<LoadCommand, LoadAnswer>) {
    this.#channel = channel;
  }

  /** Starts the process; it opens nothing yet. */
  static start(children: Children): LoadGenerator {
    const child = children.fork('load generator', new URL('./generator.ts', import.meta.url));
    return new LoadGenerator(new Channel(child));
  }

  get child(): Child {
    return this.#channel.child;
  }

  /** Opens every client of the plan. Returns how long that took, in ms. */
  async connect(plan: LoadPlan): Promise<number> {
    return (await this.connectTimed(plan)).elapsedMs;
  }

  /** The same, with how long each client's upgrade took. */
  connectTimed(plan: LoadPlan): Promise<Extract<LoadAnswer, { type: 'connected' }>> {
    const { clients, connectsPerSecond } = plan;
    const openingMs = connectsPerSecond === undefined ? 0 : (clients.length * 1000) / connectsPerSecond;
    return this.#channel.ask({ type: 'connect', plan }, 'connected', openingMs);
  }

  /** Every k-th client reads no further. Returns how many that are. */
  async stall(every: number): Promise<number> {
    return (await this.#channel.ask({ type: 'stall', every }, 'stalled')).clients;
  }

  /** Every client subscribes within `overMs`; answers when all have their snapshot, or none has come for a while. */
  subscribe(text: string, overMs: number): Promise<Extract<LoadAnswer, { type: 'subscribed' }>> {
    return this.#channel.ask({ type: 'subscribe', text, overMs }, 'subscribed');
  }

  /** What came in since the last call (or since `connect`). */
  async measure(): Promise<LoadReport> {
    return (await this.#channel.ask({ type: 'measure' }, 'measured')).report;
  }
}
