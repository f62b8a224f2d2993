/**
 * The hub, on the main thread: gives every message its source, sequence and epoch, hands raw bytes to the shard of the
 * source, and keeps who wants what. It never looks into a payload.
 */
import type { BatchResult, RejectReason } from '../protocol/batch.js';
import { FLAG_LOSS_BEFORE, RecordKind } from '../protocol/records.js';
import type { FromWorker, InterestChange, ToWorker } from '../protocol/thread-messages.js';
import { ALL_SYMBOLS, parseSubject, type SourceKind, subjectOf, symbolMatcher } from '../protocol/topics.js';
import type { EncoderThread } from './encoder-thread.js';
import { type LostRange, Shard } from './shard.js';
import { type Source, SourceTable } from './source-table.js';

/** One message as a feed delivers it. */
export interface HubMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly tsEventMicros: number;
  readonly seq: number;
  readonly epoch: string;
  readonly contiguous: boolean;
}

export interface HubCounters {
  messages: number;
  bytes: number;
  /** Messages on subjects that are not market data, or of new sources beyond the table's limit. */
  ignored: number;
  /** Messages that a publisher's own sequence showed to be old. */
  duplicates: number;
  /** Holes in a publisher's own sequence. */
  gaps: number;
  batches: number;
  frames: number;
  frameBytes: number;
  encodeMicros: number;
  withoutBase: number;
  readonly rejected: Map<RejectReason, number>;
}

export interface HubOptions {
  readonly encoders: number;
  readonly startEncoder: (shard: number) => EncoderThread;
  /** Symbols (patterns) known before any data. */
  readonly symbols: readonly string[];
  /** What the gateway's own sequences count in; a new one for every start. */
  readonly epoch: string;
  readonly nowMicros: () => number;
  readonly toWorker: (worker: number, message: ToWorker) => void;
  readonly workers: number;
  /** Somebody began or ceased to want a subject (`md.trades.*`: the trades of all symbols). */
  readonly onInterest: (subject: string, wanted: boolean) => void;
  readonly onRejected: (subject: string, payload: Uint8Array, reason: RejectReason) => void;
  /** Something that should not happen happened; the hub goes on. */
  readonly onFault: (what: string, detail: string) => void;
}

export class Hub {
  readonly counters: HubCounters = {
    messages: 0,
    bytes: 0,
    ignored: 0,
    duplicates: 0,
    gaps: 0,
    batches: 0,
    frames: 0,
    frameBytes: 0,
    encodeMicros: 0,
    withoutBase: 0,
    rejected: new Map(),
  };
  readonly shards: readonly Shard[];
  readonly #options: HubOptions;
  readonly #sources: SourceTable;
  readonly #symbols = new Set<string>();
  readonly #isListed: (symbol: string) => boolean;
  /** Sources that went back from their publisher's numbers to ours. */
  #returns = 0;
  #outages = 0;
  #newSymbols: string[] = [];
  #newEventSources: [number, string][] = [];

  constructor(options: HubOptions) {
    this.#options = options;
    this.#sources = new SourceTable(options.encoders);
    this.#isListed = symbolMatcher(options.symbols);
    for (const symbol of options.symbols) if (!symbol.includes('*')) this.#symbols.add(symbol);
    this.shards = Array.from({ length: options.encoders }, (_, index) => {
      return new Shard({
        index,
        startThread: () => options.startEncoder(index),
        source: id => this.#sources.get(id),
        nowMicros: options.nowMicros,
        onResult: result => this.#onResult(result),
        onCrash: (cause, lost) => this.#rebuild(index, cause, lost),
      });
    });
    for (const shard of this.shards) this.#define(shard, this.#sources.allTrades);
  }

  get sources(): number {
    return this.#sources.size - 1;
  }

  /** The feed lost its source: what it does not number itself may have holes from here on. */
  feedLost(): void {
    this.#outages++;
  }

  /** Takes one message of the feed. The payload is copied before it returns. */
  message(m: HubMessage): void {
    const source = this.#sources.find(m.subject) ?? this.#discover(m.subject);
    if (source === undefined) {
      this.counters.ignored++;
      return;
    }
    this.counters.messages++;
    this.counters.bytes += m.payload.length;
    const shard = this.shards[source.shard] as Shard;
    const epoch = m.epoch === '' ? this.#ownEpoch(source) : m.epoch;
    let flags = 0;
    if (epoch !== source.epoch) flags = this.#beginEpoch(shard, source, epoch);
    else if (m.epoch !== '' && m.seq <= source.seq) {
      this.counters.duplicates++;
      return;
    } else if (m.contiguous && m.seq !== source.seq + 1) flags = this.#publisherGap(shard, source, m.seq);
    const seq = m.epoch === '' ? source.seq + 1 : m.seq;
    source.seq = seq;
    shard.data(source, m.payload, seq, m.tsEventMicros, this.#options.nowMicros(), flags);
  }

  /** @param worker its index: the bit in frame masks */
  fromWorker(worker: number, message: FromWorker): void {
    if (message.type === 'interest') {
      for (const change of message.changes) this.#interest(worker, change);
    } else if (message.type === 'lookup') {
      const symbols = message.symbols.filter(symbol => this.knows(symbol));
      this.#options.toWorker(worker, { type: 'known', id: message.id, symbols });
    }
  }

  /** Tells a new worker what is known. */
  welcome(worker: number): void {
    const eventSources: [number, string][] = [];
    for (const s of this.#sources)
      if (s.retention === null && s.symbol !== ALL_SYMBOLS) eventSources.push([s.id, s.symbol]);
    this.#options.toWorker(worker, { type: 'symbols', symbols: [...this.#symbols] });
    this.#options.toWorker(worker, { type: 'event_sources', sources: eventSources });
  }

  /** A worker is gone: nothing is wanted on its behalf any more. */
  forgetWorker(worker: number): void {
    for (const shard of this.shards) shard.control(RecordKind.forget, 0, 0, worker);
    for (const source of this.#sources) {
      if (source.wants === null) continue;
      for (const lane of [...source.wants.keys()]) this.#setWant(source, lane, worker, false);
    }
  }

  /** A symbol is known once the feed has published it or the configuration names it. */
  knows(symbol: string): boolean {
    return this.#symbols.has(symbol) || this.#isListed(symbol);
  }

  async close(): Promise<void> {
    await Promise.all(this.shards.map(shard => shard.close()));
  }

  #discover(subject: string): Source | undefined {
    const parsed = parseSubject(subject);
    if (parsed === undefined) return undefined;
    const source = this.#create(parsed.kind, parsed.symbol);
    if (source !== undefined && !this.#symbols.has(parsed.symbol)) {
      this.#symbols.add(parsed.symbol);
      this.#announce();
      this.#newSymbols.push(parsed.symbol);
    }
    return source;
  }

  #create(kind: SourceKind, symbol: string): Source | undefined {
    const source = this.#sources.create(kind, symbol);
    if (source === undefined) return undefined;
    this.#define(this.shards[source.shard] as Shard, source);
    if (source.retention === null) {
      this.#announce();
      this.#newEventSources.push([source.id, symbol]);
    }
    return source;
  }

  /** Tells the workers at the end of this turn, once for all that is new in it. */
  #announce(): void {
    if (this.#newSymbols.length + this.#newEventSources.length > 0) return;
    setImmediate(() => {
      const symbols = this.#newSymbols;
      const sources = this.#newEventSources;
      this.#newSymbols = [];
      this.#newEventSources = [];
      for (let worker = 0; worker < this.#options.workers; worker++) {
        if (symbols.length > 0) this.#options.toWorker(worker, { type: 'symbols', symbols });
        if (sources.length > 0) this.#options.toWorker(worker, { type: 'event_sources', sources });
      }
    });
  }

  #define(shard: Shard, source: Source): void {
    shard.text(RecordKind.define, source.id, `${source.kind}:${source.symbol}`);
  }

  /**
   * What the gateway's own sequences of a source count in: another epoch after every outage (the same for all sources), and
   * each time it takes over from the publisher's.
   */
  #ownEpoch(source: Source): string {
    const isSamePeriod = source.ownEpoch !== '' && source.outages === this.#outages;
    if (isSamePeriod && source.epoch === source.ownEpoch) return source.ownEpoch;
    const { epoch } = this.#options;
    const period = this.#outages === 0 ? epoch : `${epoch}.${this.#outages}`;
    source.outages = this.#outages;
    source.ownEpoch = isSamePeriod ? `${period}-${++this.#returns}` : period;
    return source.ownEpoch;
  }

  #beginEpoch(shard: Shard, source: Source, epoch: string): number {
    const isFirst = source.epoch === '';
    source.epoch = epoch;
    source.seq = 0;
    source.encodedSeq = 0;
    source.retention?.beginEpoch();
    shard.text(RecordKind.epoch, source.id, epoch);
    // Nothing proves that the first message of an epoch continues the document of the one before.
    return isFirst ? 0 : FLAG_LOSS_BEFORE;
  }

  #publisherGap(shard: Shard, source: Source, seq: number): number {
    this.counters.gaps++;
    if (source.retention === null) shard.gap(source.id, { from: source.seq + 1, to: seq - 1 }, 'publisher');
    return FLAG_LOSS_BEFORE;
  }

  #interest(worker: number, change: InterestChange): void {
    const source = this.#sourceNamed(change.source);
    if (source === undefined) {
      this.#options.onFault('interest in an unknown source', change.source);
      return;
    }
    const shards = source === this.#sources.allTrades ? this.shards : [this.shards[source.shard] as Shard];
    if (change.op !== 'ask') {
      const wanted = change.op === 'want';
      this.#setWant(source, change.lane, worker, wanted);
      const kind = wanted ? RecordKind.want : RecordKind.unwant;
      for (const shard of shards) shard.control(kind, source.id, change.lane, worker);
    }
    if (change.op === 'unwant') return;
    for (const shard of shards) shard.control(RecordKind.snapshot, source.id, change.lane, worker, change.request);
  }

  /** A known symbol may be wanted before its first message; a worker has checked that it is known. */
  #sourceNamed(name: string): Source | undefined {
    const colon = name.indexOf(':');
    const kind = name.slice(0, colon) as SourceKind;
    const symbol = name.slice(colon + 1);
    const found = this.#sources.find(subjectOf(kind, symbol));
    return found ?? (this.knows(symbol) ? this.#create(kind, symbol) : undefined);
  }

  #setWant(source: Source, lane: number, worker: number, wanted: boolean): void {
    source.wants ??= new Map();
    const before = source.wants.size > 0;
    const mask = source.wants.get(lane) ?? 0;
    const next = wanted ? mask | (1 << worker) : mask & ~(1 << worker);
    if (next === 0) source.wants.delete(lane);
    else source.wants.set(lane, next);
    const after = source.wants.size > 0;
    if (before !== after) this.#options.onInterest(source.subject, after);
  }

  #onResult(result: BatchResult): void {
    const c = this.counters;
    c.batches++;
    c.frames += result.frames;
    c.frameBytes += result.frameBytes;
    c.encodeMicros += result.busyMicros;
    c.withoutBase += result.withoutBase;
    for (const { source, reason, payload } of result.rejected) {
      c.rejected.set(reason, (c.rejected.get(reason) ?? 0) + 1);
      this.#options.onRejected(this.#sources.get(source)?.subject ?? '', payload, reason);
    }
    for (const [reason, count] of result.rejectedMore ?? []) {
      c.rejected.set(reason, (c.rejected.get(reason) ?? 0) + count);
    }
    for (const { source, epoch, seq, payload } of result.checkpoints) {
      const s = this.#sources.get(source);
      if (s?.epoch === epoch) s.retention?.checkpoint(payload, seq);
    }
    for (const failure of result.failures) this.#options.onFault('encoder failed on a record', failure);
  }

  /** Gives a new encoder thread everything the lost one knew, then announces the events that were lost with it. */
  #rebuild(index: number, cause: Error, lost: ReadonlyMap<number, LostRange>): void {
    this.#options.onFault('encoder thread died and is replaced', cause.message);
    const shard = this.shards[index] as Shard;
    shard.resume(() => {
      for (const source of this.#sources) {
        const isEverywhere = source === this.#sources.allTrades;
        if (source.shard !== index && !isEverywhere) continue;
        this.#define(shard, source);
        if (source.epoch !== '') shard.text(RecordKind.epoch, source.id, source.epoch);
        shard.restore(source);
        for (const [lane, workers] of source.wants ?? []) {
          for (let worker = 0, mask = workers; mask !== 0; worker++, mask >>>= 1) {
            if ((mask & 1) !== 0) shard.control(RecordKind.want, source.id, lane, worker);
          }
        }
      }
      for (const [id, range] of lost) shard.gap(id, range, 'encoder_restart');
    });
  }
}
