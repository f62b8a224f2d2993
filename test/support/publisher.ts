/** A publisher as the contract describes it: the plain NATS client, JSON or MessagePack, optional headers. */
import { Packr } from 'msgpackr';
import { connect, headers, type MsgHdrs, type NatsConnection } from 'nats';
import { valueIn } from '../../bench/harness/metrics.js';
import type { TestGateway } from './gateway.js';
import { PATIENCE_MS, until } from './until.js';

export type Encoding = 'json' | 'msgpack';

/** The headers of PROTOCOL.md section 3. */
export interface PublisherHeaders {
  readonly seq?: number;
  readonly epoch?: string;
  readonly tsEvent?: number;
}

const packr = new Packr({ useRecords: false });

/** The only publisher at its server, or `settled` does not know what to wait for. */
export class TestPublisher {
  readonly nats: NatsConnection;
  #published = 0;

  private constructor(nats: NatsConnection) {
    this.nats = nats;
  }

  static async connect(url: string): Promise<TestPublisher> {
    return new TestPublisher(await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 }));
  }

  put(subject: string, value: object, encoding: Encoding = 'json', given: PublisherHeaders = {}): void {
    this.raw(subject, encoding === 'json' ? Buffer.from(JSON.stringify(value)) : packr.pack(value), given);
  }

  raw(subject: string, payload: Uint8Array | string, given: PublisherHeaders = {}): void {
    const hdrs = headersOf(given);
    this.nats.publish(subject, payload, hdrs === undefined ? {} : { headers: hdrs });
    this.#published++;
  }

  /** Waits until the gateway has taken everything published so far: what it is asked from here on, it answers with that. */
  async settled(gateway: TestGateway): Promise<void> {
    await this.nats.flush();
    await until(
      async () => (await taken(gateway)) >= this.#published,
      PATIENCE_MS,
      `the gateway has taken ${this.#published} messages`,
    );
  }

  async close(): Promise<void> {
    await this.nats.close();
  }
}

async function taken(gateway: TestGateway): Promise<number> {
  const text = await gateway.metrics();
  const value = (name: string) => valueIn(text, name) ?? 0;
  return value('millrace_feed_messages_total') + value('millrace_feed_ignored_total');
}

function headersOf({ seq, epoch, tsEvent }: PublisherHeaders): MsgHdrs | undefined {
  if (seq === undefined && epoch === undefined && tsEvent === undefined) return undefined;
  const hdrs = headers();
  if (seq !== undefined) hdrs.set('Seq', String(seq));
  if (epoch !== undefined) hdrs.set('Epoch', epoch);
  if (tsEvent !== undefined) hdrs.set('Ts-Event', String(tsEvent));
  return hdrs;
}
