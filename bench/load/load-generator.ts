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
    return (await this.#channel.ask({ type: 'connect', plan }, 'connected')).elapsedMs;
  }

  /** What came in since the last call (or since `connect`). */
  async measure(): Promise<LoadReport> {
    return (await this.#channel.ask({ type: 'measure' }, 'measured')).report;
  }
}
