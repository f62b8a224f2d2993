/** Finds the stream to read, or creates it. */
import type { JetStreamManager, StreamInfo } from 'nats';
import type { Clock } from '../feed-contract/feed.js';
import { findStream } from './jetstream-stream.js';

/**
 * A stream that vanishes is recreated only after this time: its operator may be about to do that, and nats-server 2.9
 * leaves a stream without subjects if it is created while its deletion is in progress.
 */
const STREAM_ABSENT_MS = 3_000;

export class StreamFinder {
  readonly #stream: string;
  readonly #clock: Clock;
  readonly #create: (manager: JetStreamManager, stream: string) => Promise<StreamInfo>;
  #absentSinceMicros: number | undefined;

  constructor(
    stream: string,
    clock: Clock,
    create: (manager: JetStreamManager, stream: string) => Promise<StreamInfo>,
  ) {
    this.#stream = stream;
    this.#clock = clock;
    this.#create = create;
  }

  /** @param wasThere it was found before @throws {Error} if it does not exist and may not be created, or not yet */
  async find(manager: JetStreamManager, wasThere: boolean): Promise<StreamInfo> {
    const info = await findStream(manager, this.#stream);
    if (info === undefined && wasThere) {
      const nowMicros = this.#clock.monotonicMicros();
      this.#absentSinceMicros ??= nowMicros;
      if (nowMicros - this.#absentSinceMicros < STREAM_ABSENT_MS * 1000)
        throw new Error(`stream ${this.#stream} does not exist`);
    }
    this.#absentSinceMicros = undefined;
    return info ?? (await this.#create(manager, this.#stream));
  }
}
