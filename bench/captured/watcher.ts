/** One client of the gateway: follows every topic of a capture in one format, and compares what it holds at each position. */
import { Packr } from 'msgpackr';
import WebSocket from 'ws';
import { type FrameOutcome, type ServerFrame, TopicChains } from '../../src/client/chain.js';
import { topicParts } from '../../src/protocol/topic-parts.js';
import type { Format } from '../../src/protocol/view-options.js';
import { DecimalValues } from './decimal.js';
import { NumberText, parseKeepingDigits } from './exchange-json.js';
import { DEPTH, digest, type Expectations, membersText } from './expectations.js';

/** Members of an event that are the gateway's. */
const GATEWAY_MEMBERS = new Set(['type', 'symbol', 'epoch', 'seq', 'prev_seq', 'ts_event', 'ts_sent']);
const PROBLEMS_MAX = 5;

/** At the end of a run. `held back`: it lacks messages, and the client was told. */
export type TopicState = 'equal' | 'held back' | 'unknown' | 'different';

export class Watcher {
  readonly format: Format;
  /** Positions at which what was held was what it must be, or not. */
  readonly positions = { equal: 0, different: 0 };
  readonly problems: string[] = [];
  frames = 0;
  readonly #expected: Expectations;
  readonly #socket: WebSocket;
  readonly #chains = new TopicChains();
  readonly #values = new DecimalValues();
  readonly #packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'bigint' });
  /** Topics of which the client was told that they lack messages. */
  readonly #stale = new Set<string>();
  /** Events that came, or of which the client was told that they do not. */
  readonly #events = new Map<string, { equal: number; lost: number }>();
  readonly #refused = new Set<string>();
  #answered = 0;

  private constructor(socket: WebSocket, format: Format, expected: Expectations) {
    this.#socket = socket;
    this.format = format;
    this.#expected = expected;
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#received(data, isBinary));
    socket.on('close', (code, reason) => this.#problem(`closed with ${code} ${reason.toString()}`));
    socket.on('error', () => {
      // Followed by 'close'.
    });
  }

  /** @param url `ws://host:port`. @throws {Error} when the gateway refuses. */
  static async connect(url: string, token: string, format: Format, expected: Expectations): Promise<Watcher> {
    const socket = new WebSocket(`${url}/ws?format=${format}&token=${token}`, { perMessageDeflate: false });
    const watcher = new Watcher(socket, format, expected);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    return watcher;
  }

  subscribe(topics: Iterable<string>): number {
    let asked = 0;
    for (const topic of topics) {
      const [stream, symbol] = topicParts(topic);
      const depth = stream === 'depth' ? { depth: DEPTH } : {};
      this.#send({ action: 'subscribe', stream, symbol, ...depth, id: topic });
      asked++;
    }
    return asked;
  }

  /** Subscriptions that were answered, refused ones included. */
  get answered(): number {
    return this.#answered;
  }

  stateOf(topic: string): TopicState {
    const expected = this.#expected.topics.get(topic);
    if (expected === undefined || this.#refused.has(topic)) return 'different';
    if (topic.startsWith('trades:')) {
      const { equal = 0, lost = 0 } = this.#events.get(topic) ?? {};
      if (equal === expected.at.size) return 'equal';
      return equal + lost >= expected.at.size ? 'held back' : 'different';
    }
    if (this.#stale.has(topic)) return 'held back';
    const last = expected.at.get(expected.last);
    const held = this.#held(topic);
    if (last === undefined) return held === undefined ? 'held back' : 'unknown';
    return held === last ? 'equal' : 'different';
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.terminate();
  }

  #send(command: object): void {
    this.#socket.send(this.format === 'msgpack' ? this.#packr.pack(command) : JSON.stringify(command));
  }

  #received(data: Buffer, isBinary: boolean): void {
    this.frames++;
    const value: unknown = isBinary ? this.#packr.unpack(data) : parseKeepingDigits(data.toString());
    const frame = safeNumbers(value) as ServerFrame;
    const { type, id, topic } = frame;
    if (type === 'subscribed' || (type === 'error' && typeof id === 'string' && this.#expected.topics.has(id))) {
      this.#answered++;
      if (type === 'error') this.#refused.add(String(id));
      if (type === 'error') this.#problem(`${String(id)} is refused: ${String(frame.code)}`);
    }
    if (type === 'stale') this.#stale.add(String(topic));
    if (type === 'gap') this.#lost(String(topic), Number(frame.to) - Number(frame.from) + 1);
    this.#did(this.#chains.feed(frame), frame);
  }

  #did(outcome: FrameOutcome, frame: ServerFrame): void {
    switch (outcome.kind) {
      case 'snapshot':
      case 'delta':
        for (const topic of outcome.topics) {
          if (outcome.kind === 'snapshot') this.#stale.delete(topic);
          this.#compare(topic, this.#held(topic));
        }
        return;
      case 'event':
        for (const topic of outcome.topics) this.#event(topic, frame);
        return;
      case 'broken':
      case 'checksum_mismatch':
      case 'patch_failed':
        this.#problem(`${outcome.topic}: ${outcome.kind}`);
        if (!outcome.topic.startsWith('trades:')) {
          const [stream, symbol] = topicParts(outcome.topic);
          this.#send({ action: 'resync', stream, symbol });
        } else if (frame.type === 'trade_executed') this.#event(outcome.topic, frame);
        return;
      case 'malformed':
        this.#problem(outcome.reason);
    }
  }

  #event(topic: string, frame: ServerFrame): void {
    const members = Object.fromEntries(Object.entries(frame).filter(([name]) => !GATEWAY_MEMBERS.has(name)));
    if (this.#compare(topic, digest(membersText(members)))) this.#countsOf(topic).equal++;
  }

  #lost(topic: string, count: number): void {
    if (topic.startsWith('trades:')) this.#countsOf(topic).lost += count;
  }

  #countsOf(topic: string) {
    let counts = this.#events.get(topic);
    if (counts === undefined) {
      counts = { equal: 0, lost: 0 };
      this.#events.set(topic, counts);
    }
    return counts;
  }

  #compare(topic: string, held: string | undefined): boolean {
    const seq = this.#chains.position(topic)?.seq ?? 0;
    const known = this.#expected.topics.get(topic)?.at;
    // A symbol without data yet.
    if (known === undefined || !known.has(seq)) return false;
    const expected = known.get(seq);
    if (expected === undefined) return false;
    const isEqual = held === expected;
    this.positions[isEqual ? 'equal' : 'different']++;
    if (!isEqual) this.#problem(`${topic} at ${seq} is not what the exchange says`);
    return isEqual;
  }

  #held(topic: string): string | undefined {
    const document = this.#chains.documentOf(topic) as Record<string, unknown> | undefined;
    if (document === undefined) return undefined;
    if (topic.startsWith('depth:')) {
      const { bids, asks } = document as Record<'bids' | 'asks', Record<string, string>>;
      return digest(`${this.#sideText(bids, true)}|${this.#sideText(asks, false)}`);
    }
    const { symbol: _, ...members } = document;
    return digest(membersText(members));
  }

  #sideText(side: Record<string, string>, isBids: boolean): string {
    return Object.entries(side)
      .map(([price, quantity]) => ({ price: this.#values.of(price), quantity: this.#values.of(quantity) }))
      .sort((a, b) => (a.price.scaled < b.price.scaled === isBids ? 1 : -1))
      .map(({ price, quantity }) => `${price.canonical}=${quantity.canonical}`)
      .join(' ');
  }

  #problem(text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(`${this.format}: ${text}`);
  }
}

/** Numbers where a double holds them exactly; the others keep their digits. */
function safeNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (value instanceof NumberText) {
    const number = Number(value.text);
    return String(number) === value.text ? number : value;
  }
  if (Array.isArray(value)) return value.map(safeNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, safeNumbers(member)]));
}
