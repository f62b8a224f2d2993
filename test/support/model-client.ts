/**
 * A client that trusts nothing: it applies patches with an independent library and holds the gateway to every promise
 * about the chain of state topics; `events` does so for the others. What it finds broken is collected in `violations`.
 */
import { Packr } from 'msgpackr';
import { applyPatch } from 'rfc6902';
import { bookChecksum } from '../../src/protocol/checksum.js';
import { EventClient } from './event-client.js';
import type { EventLog } from './event-log.js';

type Frame = Record<string, unknown>;
interface Held {
  epoch: string;
  seq: number;
}

const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

export class ModelClient {
  /** Classes that the gateway said its state topics are slower than asked for. */
  steps = 0;
  /** The gateway said that it lags, and not yet that it is fresh. */
  isLagging = false;
  readonly violations: string[] = [];
  readonly quotes: { quotes: Record<string, unknown> } = { quotes: {} };
  readonly depth = new Map<string, { bids: Record<string, string>; asks: Record<string, string> }>();
  readonly orderbook = new Map<string, Frame>();
  /** Position on each state topic's chain. */
  readonly held = new Map<string, Held>();
  /** State topics that the gateway said are held back, until their next snapshot. */
  readonly stale = new Set<string>();
  /** State topics asked for. */
  readonly wanted = new Set<string>();
  readonly events: EventClient;
  /** The newest position that each state topic was ever at here, whatever became of the subscription. */
  readonly #newest = new Map<string, Held>();

  constructor(log: EventLog) {
    this.events = new EventClient(log);
  }

  /** @param isLost dropped on the way to the client */
  readonly receive = (bytes: Uint8Array, isBinary: boolean, isLost: boolean): void => {
    const text = isBinary ? '' : Buffer.from(bytes).toString();
    let frame: Frame;
    try {
      frame = (isBinary ? packr.unpack(bytes) : JSON.parse(text)) as Frame;
      if (Array.isArray(frame)) {
        for (const one of frame as Frame[]) this.events.frame(one, isLost);
        return;
      }
    } catch (cause) {
      this.violations.push(`not decodable: ${text.slice(0, 200)} ${cause}`);
      return;
    }
    this.#frame(frame, isLost);
  };

  forget(topic: string): void {
    this.wanted.delete(topic);
    this.held.delete(topic);
    this.stale.delete(topic);
  }

  #frame(frame: Frame, isLost: boolean): void {
    switch (frame.type) {
      case 'quotes_patch':
        if (isLost) return;
        if (frame.snapshot === true) this.#quotesSnapshot(frame);
        else this.#quotesDelta(frame);
        break;
      case 'depth_patch':
        if (!isLost) this.#depth(frame);
        break;
      case 'orderbook_update':
        if (!isLost) this.#orderbook(frame);
        break;
      case 'stale':
        if (!isLost && this.wanted.has(frame.topic as string)) this.#stale(frame);
        break;
      case 'lagging':
      case 'fresh':
        if (!isLost) this.isLagging = frame.type === 'lagging';
        break;
      case 'warning':
        if (!isLost) this.#paced(frame);
        break;
      case 'heartbeat':
        if (isStateTopic(frame.topic as string)) {
          if (!isLost) this.#heartbeat(frame);
          return;
        }
        this.events.frame(frame, isLost);
        break;
      default:
        this.events.frame(frame, isLost);
    }
  }

  /** Slower when it does not keep up, and back again, never by what was said before. */
  #paced({ code, steps }: Frame): void {
    const isSlower = Number(steps) > this.steps;
    if (code !== (isSlower ? 'conflated' : 'restored')) this.violations.push(`${code} to ${steps} from ${this.steps}`);
    this.steps = Number(steps);
  }

  /** What is held is the newest that is known to be right. */
  #stale({ topic, epoch, seq }: Frame): void {
    const held = this.held.get(topic as string);
    if (held !== undefined && (held.epoch !== epoch || held.seq > Number(seq))) {
      this.violations.push(`stale ${topic} at ${epoch} ${seq} after ${held.epoch} ${held.seq}`);
    }
    this.stale.add(topic as string);
  }

  /** Says where the topic stands; of one that was left and entered again, or waits for its snapshot, nothing is held. */
  #heartbeat({ topic, epoch, seq, stale }: Frame): void {
    const held = this.held.get(topic as string);
    if (held !== undefined && (stale === true) !== this.stale.has(topic as string)) {
      this.violations.push(`heartbeat of ${topic} says stale ${stale}`);
    }
    if (held === undefined || (held.epoch === epoch && held.seq === seq)) return;
    this.violations.push(`heartbeat of ${topic} at ${epoch} ${seq} after ${held.epoch} ${held.seq}`);
  }

  #quotesSnapshot(frame: Frame): void {
    const operations = frame.operations as { path: string }[];
    for (const [symbol, seq] of Object.entries(frame.seqs as Record<string, number>)) {
      if (!this.wanted.has(`quotes:${symbol}`)) continue;
      this.#patch(
        this.quotes,
        operations.filter(op => op.path === `/quotes/${symbol.replaceAll('/', '~1')}`),
        `quotes:${symbol}`,
      );
      this.#reach(`quotes:${symbol}`, frame.epoch as string, seq);
      this.stale.delete(`quotes:${symbol}`);
    }
  }

  #quotesDelta(frame: Frame): void {
    const topic = `quotes:${frame.symbol}`;
    if (this.#follows(topic, frame)) this.#patch(this.quotes, frame.operations as [], topic);
  }

  #depth(frame: Frame): void {
    const symbol = frame.symbol as string;
    const topic = `depth:${symbol}`;
    if (!this.wanted.has(topic)) return;
    if (frame.snapshot === true) {
      this.depth.set(symbol, { bids: {}, asks: {} });
      this.#reach(topic, frame.epoch as string, frame.seq as number);
      this.stale.delete(topic);
    } else if (!this.#follows(topic, frame)) return;
    const book = this.depth.get(symbol);
    if (book === undefined) return;
    this.#patch(book, frame.operations as [], topic);
    const sorted = (side: Record<string, string>, sign: number) =>
      Object.entries(side).sort(([a], [b]) => (Number(a) - Number(b)) * sign);
    if (bookChecksum(sorted(book.asks, 1), sorted(book.bids, -1)) !== frame.checksum) {
      this.violations.push(`checksum of ${topic} at ${frame.seq}`);
    }
  }

  #orderbook(frame: Frame): void {
    const topic = `orderbook:${frame.symbol}`;
    if (!this.wanted.has(topic)) return;
    if (frame.snapshot !== true && !this.#follows(topic, frame)) return;
    if (frame.snapshot === true) this.stale.delete(topic);
    this.#reach(topic, frame.epoch as string, frame.seq as number);
    this.orderbook.set(frame.symbol as string, frame);
  }

  /** Within an epoch a topic never runs back, over classes, tiers, pauses and subscriptions. */
  #reach(topic: string, epoch: string, seq: number): void {
    const newest = this.#newest.get(topic);
    if (newest?.epoch === epoch && seq < newest.seq) {
      this.violations.push(`K8: ${topic} runs back from ${newest.seq} to ${seq} in ${epoch}`);
    }
    // One object: deltas move both.
    const position = { epoch, seq };
    this.#newest.set(topic, position);
    this.held.set(topic, position);
  }

  /** True when the delta is to be applied; a topic without a snapshot yet ignores it. */
  #follows(topic: string, frame: Frame): boolean {
    const held = this.held.get(topic);
    if (held === undefined) return false;
    if (held.epoch !== frame.epoch || held.seq !== frame.prev_seq) {
      this.violations.push(
        `${topic}: ${frame.prev_seq}→${frame.seq} (${frame.epoch}) after ${held.seq} (${held.epoch})`,
      );
      return false;
    }
    if (this.stale.has(topic)) this.violations.push(`${topic}: a delta while it is stale`);
    held.seq = frame.seq as number;
    return true;
  }

  #patch(document: object, operations: readonly unknown[], topic: string): void {
    for (const failure of applyPatch(document, operations as Parameters<typeof applyPatch>[1])) {
      if (failure !== null) this.violations.push(`${topic}: ${failure}`);
    }
  }
}

const isStateTopic = (topic: string): boolean => /^(quotes|orderbook|depth):/.test(topic);
