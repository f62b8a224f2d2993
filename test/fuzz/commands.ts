/** The commands of clients, generated: right ones, mistaken ones, and such as attackers send. */
import { Packr } from 'msgpackr';
import type { FuzzRandom } from './fuzz-random.js';

const packr = new Packr({ useRecords: false });

/** Messages as clients, mistaken clients and attackers send them. */
export class CommandGenerator {
  readonly #random: FuzzRandom;
  readonly #tokens: readonly string[];

  constructor(random: FuzzRandom, tokens: readonly string[]) {
    this.#random = random;
    this.#tokens = tokens;
  }

  /** Bytes of one message, and whether they come as a binary frame. */
  message(isMsgpack: boolean): { bytes: Uint8Array; isBinary: boolean } {
    const isBinary = isMsgpack ? this.#random.chance(0.7) : this.#random.chance(0.05);
    let bytes = this.#encode(this.#random.chance(0.9) ? this.#command() : this.#value(0), isBinary);
    if (this.#random.chance(0.1)) bytes = this.#damage(bytes);
    return { bytes, isBinary };
  }

  #encode(value: unknown, isBinary: boolean): Uint8Array {
    if (isBinary) return new Uint8Array(packr.pack(value));
    return new TextEncoder().encode(JSON.stringify(value) ?? 'undefined');
  }

  #command(): Record<string, unknown> {
    const command: Record<string, unknown> = { action: this.#random.pick(ACTIONS) };
    for (const [name, values] of Object.entries(MEMBERS)) {
      if (this.#random.chance(0.35))
        command[name] = this.#random.chance(0.85) ? this.#random.pick(values) : this.#value(0);
    }
    if (command.action === 'auth' && this.#random.chance(0.8)) command.token = this.#random.pick(this.#tokens);
    if (this.#random.chance(0.02))
      Object.defineProperty(command, '__proto__', { value: { polluted: true }, enumerable: true });
    return command;
  }

  #value(depth: number): unknown {
    const kind = this.#random.below(depth > 4 ? 6 : 9);
    if (kind === 0) return null;
    if (kind === 1) return this.#random.chance(0.5);
    if (kind === 2) return this.#random.pick([0, -1, 1.5, 1e308, 2 ** 53, -0, 7]);
    if (kind < 6) return this.#random.pick(TEXTS);
    const size = depth === 0 && this.#random.chance(0.02) ? 2000 : this.#random.below(4);
    if (kind === 6) return Array.from({ length: size }, () => this.#value(depth + 1));
    const object: Record<string, unknown> = {};
    for (let i = 0; i < this.#random.below(4); i++) object[this.#random.pick(TEXTS)] = this.#value(depth + 1);
    return object;
  }

  #damage(bytes: Uint8Array): Uint8Array {
    const damaged = bytes.slice(0, this.#random.chance(0.5) ? this.#random.below(bytes.length + 1) : bytes.length);
    for (let i = 0; i < 3 && damaged.length > 0; i++)
      damaged[this.#random.below(damaged.length)] = this.#random.below(256);
    return damaged;
  }
}

const ACTIONS = [
  'subscribe',
  'subscribe',
  'unsubscribe',
  'resync',
  'publish',
  'auth',
  'ping',
  'constructor',
  '',
  'delete',
];
const TEXTS = [
  '',
  'A',
  'B',
  'NOPE',
  '*',
  '>',
  'A B',
  '__proto__',
  'constructor',
  'toString',
  'alice',
  'bob',
  'é',
  '\ud800',
  'x'.repeat(300),
];
const SYMBOLS = ['A', 'B', 'C', 'NOPE', '*', 'BTC/USDT', '__proto__', 'constructor', ''];
const MEMBERS: Readonly<Record<string, readonly unknown[]>> = {
  id: [1, 'a', 0, '', null, { a: 1 }, 'x'.repeat(129), Number.NaN],
  stream: [
    'quotes',
    'trades',
    'orderbook',
    'depth',
    'orders',
    'analytics',
    'rooms',
    'weather',
    '__proto__',
    'toString',
  ],
  symbol: SYMBOLS,
  symbols: [SYMBOLS, ['A', 'B'], ['A', 'A'], [], [1], Array.from({ length: 100 }, (_, i) => `S${i}`)],
  channel: ['alerts', 'gossip', '__proto__'],
  channels: [['alerts', 'routing-metrics'], ['constructor'], []],
  room: ['desk-7', 'a b', '*', '__proto__', 'x'.repeat(65)],
  rooms: [
    ['desk-7', 'lobby'],
    ['a.b', '.a'],
  ],
  class: ['realtime', '16ms', '100ms', '1000ms', 'fast', '__proto__'],
  depth: [10, 25, 100, 11, -1, 1e9, Number.POSITIVE_INFINITY],
  since: [
    { epoch: 'e', seq: 1 },
    { epoch: 'other', seq: 1 },
    { epoch: 'e', seq: -1 },
    { epoch: 'e', seq: 1e300 },
    {},
    7,
  ],
  data: [1, 'text', null, { a: [1, 2] }, { __proto__: null, constructor: 1 }, [[[[[[[[[[1]]]]]]]]]]],
  token: TEXTS,
};
