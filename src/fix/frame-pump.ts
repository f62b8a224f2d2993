/** Hands the frames of the encoders' rings to the views of FIX clients, in turns. */
import { monotonicMicros } from '../protocol/wall-clock.js';
import { RingReader } from '../threads/ring.js';
import type { FixLatency } from './latency.js';
import type { FixViews } from './market/views.js';

/** Maximum bytes of frames handled in one turn of a ring, so that clients get their turns under load. */
const TURN_BYTES_MAX = 64 * 1024;
/** A frame this old indicates a queue. */
const LAGGING_MICROS = 20_000;

const nextLoopTurn = () => new Promise<void>(resolve => setImmediate(resolve));

interface SharedMemory {
  readonly rings: readonly SharedArrayBuffer[];
  readonly doorbells: SharedArrayBuffer;
  readonly lagging: SharedArrayBuffer;
  /** The number of this thread. */
  readonly worker: number;
}

interface FramePumpOptions {
  readonly views: FixViews;
  readonly latency: FixLatency;
  /** Writes what clients were sent in this turn. */
  readonly flush: () => void;
}

export class FramePump {
  readonly counters = { turns: 0, overruns: 0 };
  readonly #worker: number;
  readonly #rings: readonly RingReader[];
  readonly #doorbell: Int32Array;
  readonly #lagging: Int32Array;
  readonly #options: FramePumpOptions;

  constructor({ rings, doorbells, lagging, worker }: SharedMemory, options: FramePumpOptions) {
    this.#worker = worker;
    this.#rings = rings.map(ring => new RingReader(ring, worker));
    this.#doorbell = new Int32Array(doorbells);
    this.#lagging = new Int32Array(lagging);
    this.#options = options;
  }

  /** Until the thread ends. */
  async run(isEnding: () => boolean): Promise<void> {
    while (!isEnding()) {
      const seen = Atomics.load(this.#doorbell, this.#worker);
      this.#turn();
      const hasMore = this.#rings.some(ring => ring.hasMore);
      const isLagging = hasMore && this.#options.latency.lastMicros > LAGGING_MICROS;
      Atomics.store(this.#lagging, this.#worker, isLagging ? 1 : 0);
      const ring = hasMore ? undefined : Atomics.waitAsync(this.#doorbell, this.#worker, seen);
      await (ring?.async === true ? ring.value : nextLoopTurn());
    }
  }

  #turn(): void {
    const { views, latency, flush } = this.#options;
    this.counters.turns++;
    for (const [at, ring] of this.#rings.entries()) {
      const result = ring.read(TURN_BYTES_MAX);
      if (result === 'overrun') {
        this.counters.overruns++;
        views.repair(at);
      }
      if (result !== 'frames') continue;
      const nowMicros = monotonicMicros();
      while (ring.next()) {
        latency.observe(ring, nowMicros);
        views.frame(ring, at);
      }
    }
    flush();
  }
}
