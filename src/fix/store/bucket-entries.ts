/** Sequence numbers in a key-value bucket of a NATS server: a client may come back at any gateway there. */
import { type KV, type NatsConnection, NatsError } from 'nats';
import type { Entries, Entry } from './entries.js';

/** JetStream's answers to a write that expects another revision, and for a message that is not there. */
const WRONG_LAST_SEQUENCE = 10_071;
const NO_MESSAGE = 10_057;
const REQUEST_TIMEOUT_MS = 2_000;

interface Opened {
  readonly connection: NatsConnection;
  readonly kv: KV;
}

export class BucketEntries implements Entries {
  readonly areShared = true;
  readonly #connect: () => Promise<NatsConnection>;
  readonly #bucket: string;
  readonly #apiPrefix: string;
  /** Kept while it is good, whatever becomes of the bucket. */
  #connection: NatsConnection | undefined;
  #opened: Promise<Opened> | undefined;

  /**
   * @param connect called once it is needed, and again after a failure
   * @param apiPrefix where JetStream's API is
   */
  constructor(connect: () => Promise<NatsConnection>, bucket: string, apiPrefix = '$JS.API') {
    this.#connect = connect;
    this.#bucket = bucket;
    this.#apiPrefix = apiPrefix;
  }

  async read(key: string): Promise<Entry | undefined> {
    const entry = await this.#with(({ kv }) => kv.get(key));
    if (entry?.operation !== 'PUT') return undefined;
    return { text: entry.string(), revision: entry.revision };
  }

  write(key: string, text: string, revision: number | undefined): Promise<number | undefined> {
    return this.#with(
      ({ kv }) => (revision === undefined ? kv.create(key, text) : kv.update(key, text, revision)),
      WRONG_LAST_SEQUENCE,
    );
  }

  /** The message itself goes: what a bucket writes in place of a deleted key would stay for good. */
  async remove(_key: string, revision: number): Promise<boolean> {
    const isRemoved = await this.#with(async ({ connection }) => {
      const manager = await connection.jetstreamManager(this.#options);
      return manager.streams.deleteMessage(`KV_${this.#bucket}`, revision, false);
    }, NO_MESSAGE);
    return isRemoved === true;
  }

  async close(): Promise<void> {
    await this.#opened?.catch(() => undefined);
    await this.#connection?.close();
  }

  get #options() {
    return { apiPrefix: this.#apiPrefix, timeout: REQUEST_TIMEOUT_MS };
  }

  /**
   * After any other failure the bucket is opened again, because it may have been deleted.
   * @param expected code of an error that means undefined
   */
  async #with<T>(act: (opened: Opened) => Promise<T>, expected?: number): Promise<T | undefined> {
    this.#opened ??= this.#open();
    const current = this.#opened;
    try {
      return await act(await current);
    } catch (cause) {
      const code = cause instanceof NatsError ? cause.api_error?.err_code : undefined;
      if (code !== undefined && code === expected) return undefined;
      if (this.#opened === current) this.#opened = undefined;
      throw new Error(`bucket ${this.#bucket} failed`, { cause });
    }
  }

  async #open(): Promise<Opened> {
    if (this.#connection?.isClosed() !== false) this.#connection = await this.#connect();
    const connection = this.#connection;
    const kv = await connection.jetstream(this.#options).views.kv(this.#bucket, { history: 1 });
    return { connection, kv };
  }
}
