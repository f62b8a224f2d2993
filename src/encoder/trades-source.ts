/** `md.trades.<symbol>` → `trade_executed`: an event log, never conflated; two views, as the credential allows. */
import {
  detailOfLane,
  LANES,
  REALTIME,
  TRADES_FULL,
  TRADES_PUBLIC,
  VARIANTS,
  variantOfLane,
} from '../protocol/lanes.js';
import { FrameKind } from '../protocol/ring.js';
import { isAmount, isCarriable, type PlainObject } from './decode.js';
import {
  type FrameEncoder,
  type FrameOrigin,
  type Message,
  type Mutable,
  newOrigin,
  newVariantMasks,
  type VariantMasks,
} from './frame-encoder.js';
import type { DataOutcome, MessageTimes, SourceEncoder } from './source.js';

const VIEWS = [TRADES_PUBLIC, TRADES_FULL] as const;
/** Members that are set here, whatever a publisher sends by these names. */
const OWN_FIELDS = ['type', 'ts_event', 'ts_sent'];
/** Members that only the full view shows (entitlement `trades:full`). */
const PARTY_FIELDS = ['buyer_id', 'seller_id', 'buyer_fee', 'seller_fee'];
/** By view: members of a publisher's message that do not go on. */
const LEFT_OUT: readonly ReadonlySet<string>[] = [new Set([...OWN_FIELDS, ...PARTY_FIELDS]), new Set(OWN_FIELDS)];
const textEncoder = new TextEncoder();

/** Workers that want the trades of all symbols, by lane. One per encoder, shared by its trades sources. */
export class AllTrades {
  readonly #masks = new Uint32Array(LANES);

  want(lane: number, worker: number): void {
    this.#masks[lane] = (this.#masks[lane] ?? 0) | (1 << worker);
  }

  unwant(lane: number, worker: number): void {
    this.#masks[lane] = (this.#masks[lane] ?? 0) & ~(1 << worker);
  }

  forget(worker: number): void {
    for (let lane = 0; lane < LANES; lane++) this.unwant(lane, worker);
  }

  mask(lane: number): number {
    return this.#masks[lane] ?? 0;
  }
}

export class TradesSource implements SourceEncoder {
  readonly symbol: string;
  readonly #out: FrameEncoder;
  readonly #all: AllTrades;
  readonly #views: VariantMasks[] = VIEWS.map(newVariantMasks);
  readonly #receivers = newVariantMasks();
  readonly #origin: Mutable<FrameOrigin>;
  #epoch = '';

  constructor(source: number, symbol: string, out: FrameEncoder, all: AllTrades) {
    this.symbol = symbol;
    this.#origin = newOrigin(source);
    this.#out = out;
    this.#all = all;
  }

  data(value: PlainObject, at: MessageTimes, _lossBefore: boolean, quiet: boolean): DataOutcome {
    const reason = checkTrade(value, this.symbol);
    if (reason !== undefined) return reason;
    const prevSeq = this.#origin.seq;
    this.#origin.seq = at.seq;
    this.#origin.tsEventMicros = at.tsEventMicros;
    this.#origin.hubMicros = at.hubMicros;
    if (quiet) return 'applied';
    for (const view of VIEWS) {
      if (!this.#findReceivers(view)) continue;
      const message = this.#message(value, view, prevSeq);
      this.#out.emit(FrameKind.event, REALTIME, view, this.#receivers, this.#origin, message);
    }
    return 'applied';
  }

  beginEpoch(epoch: string): void {
    this.#epoch = epoch;
    this.#origin.epochBytes = textEncoder.encode(epoch);
    const isFirst = this.#origin.seq === 0;
    // Sequences of another epoch precede nothing here.
    this.#origin.seq = 0;
    // Whether something was lost in between cannot be known, and that is said.
    if (!isFirst) this.gap(0, 0, 'new_epoch');
  }

  want(lane: number, worker: number): void {
    const masks = this.#masksOf(lane);
    const variant = variantOfLane(lane);
    masks[variant] = (masks[variant] ?? 0) | (1 << worker);
  }

  unwant(lane: number, worker: number): void {
    const masks = this.#masksOf(lane);
    const variant = variantOfLane(lane);
    masks[variant] = (masks[variant] ?? 0) & ~(1 << worker);
  }

  forget(worker: number): void {
    for (const masks of this.#views) {
      for (let variant = 0; variant < VARIANTS; variant++) masks[variant] = (masks[variant] ?? 0) & ~(1 << worker);
    }
  }

  snapshot(lane: number, worker: number, request: number): void {
    this.#out.emitEmpty(FrameKind.ready, lane, 1 << worker, { ...this.#origin, request });
  }

  flush(): void {
    // Events are sent as they come.
  }

  gap(from: number, to: number, reason: string): void {
    this.#origin.seq = Math.max(this.#origin.seq, to);
    for (const view of VIEWS) {
      if (!this.#findReceivers(view)) continue;
      const message: Message = { type: 'gap', topic: `trades:${this.symbol}`, from, to, reason, epoch: this.#epoch };
      this.#out.emit(FrameKind.gap, REALTIME, view, this.#receivers, this.#origin, message);
    }
  }

  resume(seq: number): void {
    this.#origin.seq = seq;
  }

  checkpoint(): undefined {
    return undefined;
  }

  #masksOf(lane: number): VariantMasks {
    return this.#views[detailOfLane(lane)] ?? newVariantMasks();
  }

  #findReceivers(view: number): boolean {
    let any = 0;
    for (let variant = 0; variant < VARIANTS; variant++) {
      const workers = (this.#views[view]?.[variant] ?? 0) | this.#all.mask((variant << 2) | (view << 4));
      this.#receivers[variant] = workers;
      any |= workers;
    }
    return any !== 0;
  }

  #message(value: PlainObject, view: number, prevSeq: number): Message {
    const message: Message = { type: 'trade_executed' };
    for (const name in value) {
      if (LEFT_OUT[view]?.has(name) === true) continue;
      message[name] = value[name];
    }
    message.epoch = this.#epoch;
    message.prev_seq = prevSeq;
    message.seq = this.#origin.seq;
    return message;
  }
}

function checkTrade(value: PlainObject, symbol: string) {
  if (value.symbol !== symbol) return 'wrong_symbol';
  if (value.type !== undefined && value.type !== 'trade_executed') return 'wrong_type';
  if (value.trade_id === undefined || value.price === undefined || value.quantity === undefined) return 'missing_field';
  if (typeof value.trade_id !== 'string' && typeof value.trade_id !== 'number') return 'invalid_field';
  if (!isAmount(value.price) || !isAmount(value.quantity)) return 'invalid_field';
  for (const name in value) if (!isCarriable(value[name])) return 'invalid_field';
  return undefined;
}
