/** What publishers may put on NATS by mistake or malice: garbage, valid messages that were damaged, headers that make no sense. */
import { Packr } from 'msgpackr';
import { headers, type MsgHdrs, type NatsConnection } from 'nats';
import { FuzzRandom } from './fuzz-random.js';

interface FeedFuzzOptions {
  readonly nats: NatsConnection;
  readonly messages: number;
  readonly seed: number;
  /** Symbols that the messages are about. */
  readonly symbols: readonly string[];
  readonly onProgress?: (published: number) => void;
}

/** Messages published before the server is asked to confirm that it has them. */
const VOLLEY = 500;
const EPOCHS = ['e1', 'e2', '', ' ', 'x'.repeat(65), 'é', '__proto__', '\u0001', '"}'];
const NUMBERS = [
  '0',
  '1',
  '-1',
  '1.5',
  'NaN',
  '1e3',
  '9007199254740991',
  '9007199254740993',
  '18446744073709551616',
  '',
  ' 7',
];
const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1e308,
  -0,
  2 ** 53,
  '',
  'x'.repeat(5_000),
  '\u0000',
  '\ud800',
  '1e999999999',
  '-0',
  '0x10',
  '00000000000000000000000000000000000000001',
  [],
  {},
  [[]],
  [['1', '1'], ['1', '2'], null],
  { toString: 1 },
  { constructor: { prototype: { polluted: 1 } } },
];

const packr = new Packr({ useRecords: false });

/** Publishes them all; resolves when the server has taken them. Not one names the gateway or a user of the test. */
export async function fuzzFeed({ nats, messages, seed, symbols, onProgress }: FeedFuzzOptions): Promise<void> {
  const publications = new Publications(new FuzzRandom(seed), symbols);
  for (let n = 1; n <= messages; n++) {
    const { subject, payload, headers: hdrs } = publications.next();
    nats.publish(subject, payload, hdrs === undefined ? {} : { headers: hdrs });
    if (n % VOLLEY === 0) await nats.flush();
    if (n % 10_000 === 0) onProgress?.(n);
  }
  await nats.flush();
}

class Publications {
  readonly #random: FuzzRandom;
  readonly #symbols: readonly string[];
  #seq = 0;

  constructor(random: FuzzRandom, symbols: readonly string[]) {
    this.#random = random;
    this.#symbols = symbols;
  }

  next(): { subject: string; payload: Uint8Array; headers: MsgHdrs | undefined } {
    const subject = this.#subject();
    return {
      subject,
      payload: this.#payload(subject),
      headers: this.#random.chance(0.3) ? this.#headers() : undefined,
    };
  }

  #subject(): string {
    const symbol = this.#random.pick(this.#symbols);
    const kind = this.#random.below(20);
    if (kind < 5) return `md.quotes.${symbol}`;
    if (kind < 10) return `md.books.${symbol}`;
    if (kind < 14) return `md.trades.${symbol}`;
    if (kind === 14) return `orders.${this.#random.pick(['fuzzed', 'nobody', symbol])}`;
    if (kind === 15) return `analytics.${this.#random.pick(['alerts', 'routing-metrics', 'gossip', symbol])}`;
    if (kind === 16) return `rooms.${this.#random.pick(['lobby', symbol])}`;
    if (kind === 17) return this.#random.pick(['control.revoke', 'control.drain', 'control.unknown', 'control.a.b']);
    const odd = ['md', 'md.', 'weather', `md.weather.${symbol}`, 'md.quotes.__proto__', `md.quotes.${'x'.repeat(70)}`];
    return this.#random.pick(odd.filter(subject => !subject.endsWith('.')));
  }

  #payload(subject: string): Uint8Array {
    if (this.#random.chance(0.05)) return this.#random.bytes(this.#random.below(300));
    const value = this.#mutated(this.#valid(subject));
    const bytes = this.#random.chance(0.6) ? Buffer.from(JSON.stringify(value)) : packr.pack(value);
    if (!this.#random.chance(0.15)) return bytes;
    const damaged = Buffer.from(
      bytes.subarray(0, this.#random.chance(0.5) ? this.#random.below(bytes.length + 1) : bytes.length),
    );
    for (let i = 0; i < 3 && damaged.length > 0; i++)
      damaged[this.#random.below(damaged.length)] = this.#random.below(256);
    return damaged;
  }

  #valid(subject: string): Record<string, unknown> {
    const symbol = subject.split('.').slice(2).join('.');
    const price = () => (1 + this.#random.below(10_000) / 100).toFixed(2);
    const levels = () =>
      Array.from({ length: this.#random.below(12) }, () => [price(), this.#random.chance(0.3) ? '0' : price()]);
    if (subject.startsWith('md.quotes.')) {
      const whole = { symbol, current_price: Number(price()), bid: Number(price()), volume: this.#random.below(1e6) };
      return this.#random.chance(0.5) ? whole : { symbol, bid: Number(price()), partial: true };
    }
    if (subject.startsWith('md.books.')) {
      return { symbol, bids: levels(), asks: levels(), ...(this.#random.chance(0.3) ? { snapshot: true } : undefined) };
    }
    if (subject.startsWith('md.trades.')) return { symbol, trade_id: ++this.#seq, price: price(), quantity: price() };
    if (subject.startsWith('orders.'))
      return { type: 'order_update', action: 'created', order_id: ++this.#seq, user_id: 'fuzzed' };
    if (subject.startsWith('analytics.'))
      return { type: 'alert', timestamp: '2026-01-01T00:00:00Z', data: { n: ++this.#seq } };
    if (subject.startsWith('rooms.')) return { type: 'room_message', room: 'lobby', from: 'x', data: ++this.#seq };
    if (subject === 'control.revoke')
      return this.#random.pick([{ sub: 'nobody' }, { jti: 'none' }, { api_key: 'none' }, {}]);
    return { node: 'another' };
  }

  #mutated(value: Record<string, unknown>): unknown {
    if (this.#random.chance(0.6)) return value;
    if (this.#random.chance(0.05)) return this.#random.pick(ODD_VALUES);
    const copy: Record<string, unknown> = { ...value };
    const name = this.#random.pick([...Object.keys(value), 'extra', 'epoch', 'seq', 'prev_seq', 'type', 'operations']);
    if (name === 'extra' && this.#random.chance(0.3)) {
      Object.defineProperty(copy, '__proto__', { value: { polluted: true }, enumerable: true });
    } else if (this.#random.chance(0.3)) delete copy[name];
    // A drain or a revocation of somebody who is there would be one, not a fault.
    else if (name !== 'node' && name !== 'sub') copy[name] = this.#random.pick(ODD_VALUES);
    return copy;
  }

  #headers(): MsgHdrs {
    const hdrs = headers();
    const put = (name: string, value: string) => {
      // Which values its own library lets a publisher send is not the question here.
      if (/^[\x20-\x7e]*$/.test(value)) hdrs.append(name, value);
    };
    if (this.#random.chance(0.7))
      put('Seq', this.#random.chance(0.6) ? String(++this.#seq) : this.#random.pick(NUMBERS));
    if (this.#random.chance(0.7)) put('Epoch', this.#random.chance(0.8) ? 'e1' : this.#random.pick(EPOCHS));
    if (this.#random.chance(0.4)) put('Ts-Event', this.#random.pick(NUMBERS));
    if (this.#random.chance(0.2)) put('traceparent', this.#random.pick(['00-0-0-00', 'x'.repeat(500), '']));
    if (this.#random.chance(0.1)) put('Millrace-Publication', this.#random.pick(['1', 'e.1', '']));
    if (this.#random.chance(0.1)) put('Seq', this.#random.pick(NUMBERS));
    if (this.#random.chance(0.1)) put('X-Other', 'x'.repeat(this.#random.below(2_000)));
    return hdrs;
  }
}
