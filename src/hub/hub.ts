/**
 * The hub, on the main thread: gives every message its subject, sequence and epoch, hands raw bytes to that
 * subject's shard, and tracks who wants what. It never reads a payload.
 */
import { undelayedName } from '../protocol/delayed-name.js';
import { stretchOf } from '../protocol/load.js';
import type { StreamPosition } from '../protocol/stream-position.js';
import {
  hasUnusableName,
  isMarketDataKind,
  isOnDemand,
  isStateSource,
  parseSubject,
  type SourceKind,
} from '../protocol/topics.js';
import type { StartedRecord } from '../threads/progress.js';
import { FLAG_LOSS_BEFORE, RecordKind } from '../threads/records.js';
import type { FromWorker } from '../threads/thread-messages.js';
import { Announcements, knownSoFar } from './announcements.js';
import { ClientTopics } from './client-topics.js';
import { Delays } from './delays/delays.js';
import { EventHistories } from './events/event-histories.js';
import { prevSeqOf, UNKNOWN_SEQ } from './events/event-history.js';
import { isQuiet } from './events/held-replays.js';
import { Poison } from './events/poison.js';
import { Publications } from './events/publications.js';
import { Replays } from './events/replays.js';
import { Holds } from './holds.js';
import type { HubMessage } from './hub-feed.js';
import { type HubCounters, type HubOptions, newCounters } from './hub-options.js';
import { newSymbols } from './hub-parts.js';
import { Results } from './results.js';
import { beginEpoch } from './shards/epochs.js';
import { defineSubject, rebuildShard } from './shards/rebuild.js';
import { Shard } from './shards/shard.js';
import { Interest } from './sources/interest.js';
import { LastSeqs } from './sources/last-seqs.js';
import type { LostRange } from './sources/lost-ranges.js';
import { OwnEpochs } from './sources/own-epochs.js';
import { PublisherEpochs } from './sources/publisher-epochs.js';
import { mayLack, noteSeen, type Subject, SubjectTable } from './sources/subject-table.js';
import type { Symbols } from './sources/symbols.js';
import { WorkerRequests } from './worker-requests.js';

export class Hub {
  readonly counters: HubCounters = newCounters();
  readonly shards: readonly Shard[];
  readonly #options: HubOptions;
  readonly table: SubjectTable;
  readonly #interest: Interest;
  readonly #epochs: OwnEpochs;
  readonly #publisherEpochs = new PublisherEpochs((subject, m, epoch) => this.#take(subject, m, epoch));
  readonly holds: Holds;
  readonly delays: Delays;
  readonly #results: Results;
  readonly #history: EventHistories;
  readonly #poison: Poison;
  readonly #replays: Replays;
  readonly #publications: Publications;
  readonly #announcements: Announcements;
  readonly #symbols: Symbols;
  readonly #lastSeqs = new LastSeqs();
  readonly #requests: WorkerRequests;
  #messageMicros = 0;
  readonly #clientTopics: ClientTopics;

  constructor(options: HubOptions) {
    this.#options = options;
    this.table = new SubjectTable(options.encoders, () => options.nowMicros() / 1000, this.counters.kinds);
    this.#interest = new Interest({
      subjects: this.table,
      follow: (subject, wanted) => options.feed.follow(subject, wanted),
      onChange: ({ symbol }) => this.#symbols.wantChanged(symbol),
      // Its symbol may have been forgotten before.
      forget: subject => this.table.get(subject.id) === subject && this.#drop(subject),
    });
    this.#clientTopics = new ClientTopics({
      max: options.clientSubjectsMax,
      perOwnerMax: options.clientSubjectsPerOwnerMax,
      find: name => this.table.findAny(name),
      create: (kind, symbol) => this.#create(kind, symbol),
      knowsSymbol: symbol => this.knows(undelayedName(symbol).name),
      endNow: subject => this.#interest.endNow(subject),
    });
    this.#epochs = new OwnEpochs(options.epoch);
    this.holds = new Holds(options.onHold);
    const { counters, holds, table: subjects } = this;
    this.#results = new Results({ ...options, counters, holds, subjects, onCapture: one => this.delays.captured(one) });
    this.#history = new EventHistories(options.historyBytes);
    this.delays = new Delays({
      ...options,
      table: this.table,
      history: this.#history,
      shardOf: subject => this.shards[subject.shard] as Shard,
      onFollowed: subject => this.#clientTopics.release(subject),
      onSeen: subject => noteSeen(subject, counters.messages, this.#symbols.nowMs),
    });
    this.#poison = new Poison(this.#history);
    this.#replays = new Replays({
      ...options,
      history: this.#history,
      isPoison: (subject, seq) => this.#poison.has(subject, seq),
      isFeedQuiet: () => isQuiet(this.silentMs),
    });
    this.#publications = new Publications({
      origin: options.epoch,
      publish: (subject, payload, mark, key) => options.feed.publish(subject, payload, mark, key),
    });
    this.#announcements = new Announcements(message => {
      for (let worker = 0; worker < options.workers; worker++) options.toWorker(worker, message);
    });
    this.#requests = new WorkerRequests({
      interest: this.#interest,
      replays: this.#replays,
      publications: this.#publications,
      topics: this.#clientTopics,
      shardsOf: subject => (subject === this.table.allTrades ? this.shards : [this.shards[subject.shard] as Shard]),
      feedPosition: subject => this.#feedPosition(subject),
      toWorker: options.toWorker,
    });
    this.#symbols = newSymbols(options, this.table, this.#announcements, subject => {
      this.#epochs.hasForgotten = true;
      this.#drop(subject);
    });
    this.shards = Array.from({ length: options.encoders }, (_, index) => this.#newShard(index));
    for (const shard of this.shards) defineSubject(shard, this.table.allTrades);
  }

  #newShard(index: number): Shard {
    const options = this.#options;
    return new Shard({
      ...options,
      index,
      startThread: () => options.startEncoder(index),
      subject: id => this.table.get(id),
      onResult: result => this.#results.take(result, index),
      onCrash: (cause, lost, at) => this.#rebuild(index, cause, lost, at),
    });
  }

  get subjects(): number {
    return this.table.size - 1;
  }

  /** Encoders whose threads keep dying. */
  get crashLoops(): number {
    return this.shards.filter(shard => shard.isCrashLoop).length;
  }

  /** Topics that clients were refused. */
  get topicsRefused(): ClientTopics['counters'] {
    return this.#clientTopics.counters;
  }

  /** Requests for topics that the feed's server refuses. */
  get topicsUnavailable(): number {
    return this.#requests.unavailable;
  }

  get replays(): Replays['counters'] {
    return this.#replays.counters;
  }

  /** Sets the retail interval for the load level. */
  stretchRetail(level: number): void {
    for (const shard of this.shards) shard.classes.retailStretch = stretchOf(level);
  }

  /** The feed lost its upstream: any sequence that the feed does not number itself may have holes from here on. */
  feedLost(): void {
    this.#epochs.outage();
    this.#publisherEpochs.outage();
  }

  /** These subjects are followed again after the server refused them for a while: what was published then is lost. */
  feedGap(pattern: string): void {
    for (const subject of this.table.matching(pattern)) this.#epochs.interrupted(subject);
  }

  /** Takes one message from the feed. Copies the payload before it returns. */
  message(m: HubMessage): void {
    const subject = this.table.find(m.subject) ?? this.#discover(m);
    if (subject === undefined) {
      this.counters.ignored++;
      return;
    }
    if (subject.isClientMade && !isOnDemand(subject.kind)) {
      this.#clientTopics.release(subject);
      this.#symbols.add(subject.symbol);
    }
    this.counters.messages++;
    noteSeen(subject, this.counters.messages, this.#symbols.nowMs);
    subject.tally.messages++;
    subject.tally.bytes += m.payload.length;
    const isPublication = subject.kind === 'rooms' && m.publication !== '';
    // The feed's own store already deduplicates client messages by id.
    if (isPublication && m.epoch === '' && this.#publications.isRepeat(m.subject, m.publication)) {
      this.counters.duplicates++;
      return;
    }
    if (m.epoch === '') this.#take(subject, m, this.#epochs.of(subject));
    else this.#publisherEpochs.receive(subject, m);
  }

  #take(subject: Subject, m: HubMessage, epoch: string): void {
    const shard = this.shards[subject.shard] as Shard;
    let flags = 0;
    if (epoch !== subject.epoch) flags = beginEpoch(shard, subject, epoch);
    else if (m.epoch !== '' && m.seq <= subject.seq) {
      this.counters.duplicates++;
      return;
    } else if (m.contiguous && m.seq !== subject.seq + 1) flags = this.#gapBefore(shard, subject, m.seq, 'publisher');
    else if (mayLack(subject, m.holeSeq)) flags = this.#gapBefore(shard, subject, m.seq, 'stream_limits');
    if (subject.hasHole) {
      subject.hasHole = false;
      flags |= FLAG_LOSS_BEFORE;
    }
    const seq = m.epoch === '' ? subject.seq + 1 : m.seq;
    if (subject.retention === null) {
      this.#history.add(subject, m.payload, seq, flags === 0 ? prevSeqOf(subject, m) : UNKNOWN_SEQ, m.tsEventMicros);
    }
    subject.seq = seq;
    if (subject.delayed !== null && subject.retention === null) this.delays.event(subject, m, flags !== 0);
    this.#messageMicros = this.#options.nowMicros();
    subject.tally.lastMicros = this.#messageMicros;
    const trace = m.traceparent === '' ? 0 : (this.#options.traces?.begin(m, subject, this.#messageMicros) ?? 0);
    shard.data(subject, m.payload, seq, m.tsEventMicros, this.#messageMicros, flags, trace);
    if (subject.kind === 'rooms' && m.publication !== '')
      this.#publications.arrived(m.subject, m.publication, { epoch, seq });
  }

  /** @param worker its index: the bit in frame masks */
  fromWorker(worker: number, message: FromWorker): void {
    if (message.type === 'interest') {
      for (const change of message.changes) this.#requests.change(worker, change);
    } else if (message.type === 'lookup') {
      const symbols = message.symbols.filter(symbol => this.knows(symbol));
      this.#options.toWorker(worker, { type: 'known', id: message.id, symbols });
    } else if (message.type === 'publish') {
      void this.#requests.publish(worker, message);
    }
  }

  /** Tells a new worker what is known. */
  welcome(worker: number): void {
    for (const known of knownSoFar([...this.#symbols.names()], this.table)) this.#options.toWorker(worker, known);
  }

  /** A worker has ended: nothing is wanted on its behalf any more. */
  forgetWorker(worker: number): void {
    for (const shard of this.shards) shard.control(RecordKind.forget, 0, 0, worker);
    this.#replays.forgetWorker(worker);
    this.#interest.forgetWorker(worker);
    this.#clientTopics.forgetWorker(worker);
  }

  /** A symbol is known once the feed has published it or the configuration names it. */
  knows(symbol: string): boolean {
    return this.#symbols.knows(symbol);
  }

  async close(): Promise<void> {
    this.delays.close();
    this.#replays.close();
    this.#interest.close();
    this.#symbols.close();
    this.#publisherEpochs.close();
    await Promise.all(this.shards.map(shard => shard.close()));
  }

  /** Time since the last message from the feed; undefined before the first. */
  get silentMs(): number | undefined {
    return this.#messageMicros === 0 ? undefined : (this.#options.nowMicros() - this.#messageMicros) / 1000;
  }

  #discover(m: HubMessage): Subject | undefined {
    const parsed = parseSubject(m.subject);
    if (parsed === undefined) {
      if (hasUnusableName(m.subject)) this.#results.refuse(m.subject, m.payload, 'invalid_symbol');
      return undefined;
    }
    const { kind, symbol } = parsed;
    if (isOnDemand(kind)) {
      // It is not wanted here, but a client that comes later is told its position.
      if (m.epoch !== '' && !m.contiguous) this.#lastSeqs.note(m.subject, m);
      return undefined;
    }
    if (kind !== 'analytics' && !this.#symbols.admit(symbol)) {
      this.#results.refuse(m.subject, m.payload, 'too_many_symbols');
      return undefined;
    }
    return this.#create(kind, symbol);
  }

  #create(kind: SourceKind, name: string): Subject | undefined {
    const { name: symbol, delayMs } = isMarketDataKind(kind) ? undelayedName(name) : { name, delayMs: 0 };
    if (delayMs > 0) return this.delays.create(kind, symbol, delayMs);
    const subject = this.table.create(kind, symbol);
    if (subject === undefined) return undefined;
    const shard = this.shards[subject.shard] as Shard;
    defineSubject(shard, subject);
    this.delays.attach(subject);
    if (kind === 'trades') this.#announcements.tradesSubject(subject);
    if (isStateSource(kind)) return subject;
    const position = this.#feedPosition(subject.name);
    // Only messages tell whether their publisher numbers them; rooms, however, are published to by clients.
    if (position !== undefined) beginEpoch(shard, subject, position.epoch);
    else if (kind === 'rooms') beginEpoch(shard, subject, this.#epochs.of(subject));
    if (position === undefined) return subject;
    subject.sinceSeq = position.seq;
    subject.seq = this.#lastSeqs.of(subject.name, position.epoch);
    subject.encodedSeq = subject.seq;
    if (subject.seq > 0) shard.control(RecordKind.resume, subject.id, 0, 0, subject.seq);
    return subject;
  }

  #drop(subject: Subject): void {
    const position = this.#feedPosition(subject.name);
    if (position?.epoch === subject.epoch && subject.seq > 0) this.#lastSeqs.note(subject.name, subject);
    this.#replays.forgetSubject(subject);
    this.holds.forget(subject);
    this.#publisherEpochs.dropped(subject);
    this.shards[subject.shard]?.drop(subject);
    this.#clientTopics.release(subject);
    this.delays.forget(subject);
    this.table.drop(subject);
  }

  /** Undefined if the feed does not number the subject. */
  #feedPosition(subject: string): StreamPosition | undefined {
    const outcome = this.#options.feed.position(subject);
    return outcome.ok ? outcome.position : undefined;
  }

  #gapBefore(shard: Shard, subject: Subject, seq: number, reason: 'publisher' | 'stream_limits'): number {
    if (reason === 'publisher') this.counters.gaps++;
    if (subject.retention === null) shard.gap(subject.id, { from: subject.seq + 1, to: seq - 1 }, reason);
    return FLAG_LOSS_BEFORE;
  }

  /** Gives a new encoder thread everything the lost one knew, then announces the events that were lost with it. */
  #rebuild(index: number, cause: Error, lost: ReadonlyMap<number, LostRange>, at: StartedRecord | undefined): void {
    this.#options.onFault('encoder thread died; replacing it', cause.message);
    const poison = at === undefined ? undefined : this.#poison.take(this.table.get(at.source), at);
    // It would end the next encoder too.
    if (poison !== undefined) this.#results.refuse(poison.subject, poison.payload, 'internal');
    rebuildShard(this.shards[index] as Shard, this.table, lost);
  }
}
