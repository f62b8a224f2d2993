/** Finds the stream to read, or creates it. */
import type { JetStreamManager, StreamInfo } from 'nats';
import type { Clock } from '../feed-contract/feed.js';
import { findStream } from './jetstream-stream.js';

/**
 * A stream that vanishes is recreated only after this time: its operator may be about to do that, and nats-server 2.9
 * leaves a stream without subjects if it is created while its deletion is in progress.
 */
const STREAM_ABSENT_MS = 3_000;
/**
 * In a cluster, a gateway waits up to this long, by chance, before it creates the stream. Another one that starts at the
 * same moment then finds it: nats-server 2.9 keeps two creations at once as one stream with two creation times.
 */
const CREATE_AFTER_MS_MAX = 1_000;
/** While a cluster creates a stream, its nodes tell different creation times. Two answers this far apart must agree. */
const AGREED_AFTER_MS = 250;
/** How often to ask until they do; then the attempt fails, and is repeated. */
const ASKED_MAX = 20;

type Create = (manager: JetStreamManager, stream: string) => Promise<unknown>;

export class StreamFinder {
  readonly #stream: string;
  readonly #clock: Clock;
  readonly #create: Create;
  readonly #replicas: number;
  #absentSinceMicros: number | undefined;

  /** @param replicas servers that hold the stream if it is created here */
  constructor(stream: string, clock: Clock, create: Create, replicas: number) {
    this.#stream = stream;
    this.#clock = clock;
    this.#create = create;
    this.#replicas = replicas;
  }

  /**
   * The stream as its leader tells it, so that all gateways are told the same creation time.
   * @param wasThere it was found before
   * @throws {Error} if it has no leader, or does not exist and may not be created, or not yet
   */
  async find(manager: JetStreamManager, wasThere: boolean): Promise<StreamInfo> {
    const info = await findStream(manager, this.#stream);
    if (info === undefined && wasThere) {
      const nowMicros = this.#clock.monotonicMicros();
      this.#absentSinceMicros ??= nowMicros;
      if (nowMicros - this.#absentSinceMicros < STREAM_ABSENT_MS * 1000)
        throw new Error(`stream ${this.#stream} does not exist`);
    }
    this.#absentSinceMicros = undefined;
    return this.#agreed(manager, info ?? (await this.#createOnce(manager)));
  }

  /** The answer to the creation is not used: it may come from any node. Undefined: ask for the stream. */
  async #createOnce(manager: JetStreamManager): Promise<StreamInfo | undefined> {
    if (this.#replicas > 1) {
      await this.#wait(CREATE_AFTER_MS_MAX * Math.random());
      const info = await findStream(manager, this.#stream);
      if (info !== undefined) return info;
    }
    await this.#create(manager, this.#stream);
    return undefined;
  }

  async #agreed(manager: JetStreamManager, first: StreamInfo | undefined): Promise<StreamInfo> {
    let before: StreamInfo | undefined;
    let info = first;
    for (let asked = 0; asked < ASKED_MAX; asked++) {
      info ??= await manager.streams.info(this.#stream);
      const isLed = hasLeader(info);
      // A single server has a cluster without a name.
      const isAlone = (info.cluster?.name ?? '') === '';
      const isSettled = isAlone || info.state.last_seq > 0 || before?.created === info.created;
      if (isLed && isSettled) return info;
      before = isLed ? info : undefined;
      info = undefined;
      await this.#wait(AGREED_AFTER_MS);
    }
    throw new Error(`stream ${this.#stream} has no leader`);
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => this.#clock.setTimeout(resolve, ms));
  }
}

/** True if a leader answers, and not a node that has waited for one long enough. */
export function hasLeader({ cluster }: StreamInfo): boolean {
  return cluster === undefined || (cluster.leader ?? '') !== '';
}
