/** Sequence numbers in a key-value bucket of a NATS server: a client may come back at any gateway there. */
import { type KV, type NatsConnection, NatsError } from 'nats';
import type { Entries, Entry } from './entries.js';

/** JetStream's answer to a write that expects another revision. */
const WRONG_LAST_SEQUENCE = 10_071;
const REQUEST_TIMEOUT_MS = 2_000;

export class BucketEntries implements Entries {
  readonly areShared = true;
  readonly #connect: () => Promise<NatsConnection>;
  readonly #bucket: string;
  readonly #apiPrefix: string;
  #opened: Promise<{ connection: NatsConnection; kv: KV }> | undefined;

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
    const entry = await (await this.#kv()).get(key);
    if (entry === null || entry.operation !== 'PUT') return undefined;
    return { text: entry.string(), revision: entry.revision };
  }

  async write(key: string, text: string, revision: number | undefined): Promise<number | undefined> {
    const kv = await this.#kv();
    try {
      return revision === undefined ? await kv.create(key, text) : await kv.update(key, text, revision);
    } catch (cause) {
      if (cause instanceof NatsError && cause.api_error?.err_code === WRONG_LAST_SEQUENCE) return undefined;
      throw cause;
    }
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    await opened?.connection.close();
  }

  async #kv(): Promise<KV> {
    this.#opened ??= this.#open();
    try {
      return (await this.#opened).kv;
    } catch (cause) {
      this.#opened = undefined;
      throw cause;
    }
  }

  async #open(): Promise<{ connection: NatsConnection; kv: KV }> {
    const connection = await this.#connect();
    try {
      const jetstream = connection.jetstream({ apiPrefix: this.#apiPrefix, timeout: REQUEST_TIMEOUT_MS });
      const kv = await jetstream.views.kv(this.#bucket, { history: 1 });
      return { connection, kv };
    } catch (cause) {
      await connection.close();
      throw cause;
    }
  }
}
