/**
 * From the journal and what publishers sent come the very bytes that sockets were handed, whatever happens in between.
 * @module-tag slow
 * @module-tag bulk
 */
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { Deliveries } from '../../src/journal/deliveries.js';
import { topicName } from '../../src/protocol/topic-parts.js';
import type { PastFeed, PastMessage } from '../../src/reconstruct/past-feed.js';
import { type Reconstructed, Reconstruction } from '../../src/reconstruct/reconstruction.js';
import { FLAG_LOSS_BEFORE } from '../../src/threads/records.js';
import { handedIn } from '../support/journal/derived.js';
import { RecordedJournal } from '../support/journal/recorded.js';
import { MarketModel, type ModelSetup } from './market-model.js';
import { assertRuns, connectFour, runsOf, scriptsOf, useModelTime } from './scripts.js';
import { anySetup, anything, eventsOnly, run, type Step, slowAndFast, slowSetup } from './steps.js';

const RUNS = runsOf(8);
const SEED = '20261130';
const STEPS_MIN = 60;
const STEPS_MAX = 250;
const TIMEOUT_MS = 240_000;
const DELIVERIES_MAX = 100_000;
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

interface Handed {
  readonly bytes: Buffer;
  readonly isBinary: boolean;
}

/** A model that keeps what its hub numbers and what its sockets take. */
class WatchedModel {
  readonly journal = new RecordedJournal();
  readonly model: MarketModel;
  readonly past: PastMessage[] = [];
  readonly handed = new Map<string, Handed[]>();
  /** Published to sockets that closed before uWS wrote it. */
  readonly unwritten = new Map<string, number>();

  constructor(setup: ModelSetup) {
    this.model = new MarketModel({ ...setup, newJournal: this.journal.newJournal });
    const { gateway } = this.model;
    const connect = gateway.connect.bind(gateway);
    gateway.connect = (...of) => {
      const socket = connect(...of);
      const frames: Handed[] = [];
      socket.onTaken = (bytes, isBinary) => frames.push({ bytes: Buffer.from(bytes), isBinary });
      this.handed.set(`c${socket.session.id}`, frames);
      return socket;
    };
    const disconnect = gateway.disconnect.bind(gateway);
    gateway.disconnect = socket => {
      this.unwritten.set(`c${socket.session.id}`, socket.published.length);
      disconnect(socket);
    };
    for (const shard of gateway.hub.shards) this.#watch(shard);
  }

  #watch(shard: MarketModel['gateway']['hub']['shards'][number]): void {
    const data = shard.data.bind(shard);
    shard.data = (subject, payload, seq, tsEventMicros, hubMicros, flags, trace) => {
      const at = { subject: subject.name, numbering: subject.epoch, tsEventMicros, contiguous: false };
      // A message that cannot be read stands for those that are missing.
      if ((flags & FLAG_LOSS_BEFORE) !== 0) this.past.push({ ...at, payload: Buffer.from('?'), seq: seq - 0.5 });
      this.past.push({ ...at, payload: Buffer.from(payload), seq });
      data(subject, payload, seq, tsEventMicros, hubMicros, flags, trace);
    };
    const replay = shard.replay.bind(shard);
    shard.replay = (subject, payload, seq, tsEventMicros, lane, asker) => {
      this.#addStored({
        ...{ subject: subject.name, numbering: subject.epoch, tsEventMicros, contiguous: false },
        ...{ payload: Buffer.from(payload), seq },
      });
      replay(subject, payload, seq, tsEventMicros, lane, asker);
    };
  }

  /** A message that the stream holds, and that the hub may not have taken when it was published. */
  #addStored(message: PastMessage): void {
    const { past } = this;
    const isAlike = (one: PastMessage) => one.subject === message.subject && one.numbering === message.numbering;
    if (past.some(one => isAlike(one) && one.seq === message.seq)) return;
    const after = past.findIndex(one => isAlike(one) && one.seq > message.seq);
    const before = past.findLastIndex(isAlike);
    past.splice(after >= 0 ? after : before >= 0 ? before + 1 : past.length, 0, message);
  }

  get feed(): PastFeed {
    const { past } = this;
    return {
      name: 'the model',
      numberingOf: epoch => epoch,
      unknownEpoch: () => '',
      remedy: '',
      mayHaveLost: () => false,
      async *messages(subjects) {
        for (const message of past) if (subjects.has(message.subject)) yield message;
      },
    };
  }
}

/** The frame with its times as the reconstruction has them; announcements without any. */
function comparable({ bytes, isBinary }: Handed): string {
  const text = isBinary ? JSON.stringify(packr.unpack(bytes)) : bytes.toString();
  const isAnnouncement = /^\{"type":"(gap|stale)"/.test(text);
  // Books of the model have no times of their own.
  const untimed = text.replace(/^(\{"type":"orderbook_update".*"timestamp":)"[^"]*"/, '$1""');
  const sent = untimed.replace(/"ts_sent":\d{16}/g, '"ts_sent":1000000000000000');
  return isAnnouncement ? sent.replace(/,"(since|ts_event|ts_sent)":("[^"]*"|\d+)/g, '') : sent;
}

/** Bytes that must be the same; in MessagePack the time is a number of fixed width at the end. */
function sameBytes(frame: Buffer, { bytes, isBinary }: Handed): boolean {
  if (frame.equals(bytes) || bytes.includes('orderbook_update')) return true;
  if (!isBinary || frame.length !== bytes.length) return false;
  return frame.subarray(0, -8).equals(bytes.subarray(0, -8));
}

/** The very message, apart from its times. */
function isSame({ delivery, frame }: Reconstructed, handed: Handed): boolean {
  if (frame === undefined) return false;
  const isAnnouncement = delivery.kind === 'gap' || delivery.kind === 'stale';
  const isArray = handed.isBinary && Array.isArray(packr.unpack(handed.bytes));
  return isAnnouncement || !handed.isBinary || isArray || sameBytes(frame, handed);
}

/** What is wrong with one topic of a connection. */
function wrongOf(
  found: readonly Reconstructed[],
  handed: readonly Handed[],
  compared: { frames: number },
  unwritten: number,
): string[] {
  const lacking = found.find(({ missing }) => missing !== undefined);
  if (lacking !== undefined) return [`cannot be told: ${lacking.missing}`];
  // A message that may be lost may look like a later one: all places are kept where the next message may stand.
  const texts = found.map(({ frame, delivery: { view } }) =>
    comparable({ bytes: frame as Buffer, isBinary: view.format === 'msgpack' }),
  );
  let places = new Set([0]);
  for (const frame of handed) {
    const text = comparable(frame);
    const next = new Set<number>();
    for (const place of places) {
      for (let at = place; at < found.length; at++) {
        const one = found[at] as Reconstructed;
        if (texts[at] === text && isSame(one, frame)) next.add(at + 1);
        if (!one.delivery.mayBeLost) break;
      }
    }
    if (next.size === 0) {
      const at = Math.max(...places);
      return [`handed ${text}, told ${found[at]?.delivery.kind} ${texts[at]}`];
    }
    places = next;
    compared.frames++;
  }
  const sure = [...places].map(place => found.slice(place).filter(({ delivery }) => !delivery.mayBeLost));
  const rest = sure.reduce((least, some) => (some.length < least.length ? some : least));
  return rest.length <= unwritten ? [] : [`told, but not handed: ${rest.length} from ${rest[0]?.delivery.seq}`];
}

async function wrongIn(watched: WatchedModel, compared: { frames: number }): Promise<string[]> {
  const wrong: string[] = [];
  const { records } = watched.journal;
  for (const [c, frames] of watched.handed) {
    const topics = new Set(
      records.flatMap(({ c: of, topic }) => (of === c && topic !== undefined && !topic.endsWith(':*') ? [topic] : [])),
    );
    for (const topic of topics) {
      const deliveries = new Deliveries(c, topic, DELIVERIES_MAX);
      for (const record of records) deliveries.take({ t: record.t, record, line: Buffer.alloc(0) });
      const own = frames.filter(({ bytes, isBinary }) =>
        handedIn(isBinary ? packr.unpack(bytes) : JSON.parse(bytes.toString())).some(one => one.topic === topic),
      );
      const nameOf = (one: string) => topicName(one);
      const found: Reconstructed[] = [];
      const { feed } = watched;
      for await (const one of new Reconstruction({ deliveries: deliveries.all, feed, nameOf }).run()) found.push(one);
      wrong.push(...wrongOf(found, own, compared, watched.unwritten.get(c) ?? 0).map(text => `${c} ${topic} ${text}`));
    }
  }
  return wrong;
}

useModelTime();

test.each([
  ['anything happens', anything, anySetup],
  ['clients are slowed and restored', slowAndFast, slowSetup],
  ['events are lost, replayed and numbered anew', eventsOnly, anySetup],
] as const)(
  'R70 the bytes that each socket was handed are told while %s',
  async (_what, step, setup) => {
    const compared = { frames: 0 };
    const property = fc.asyncProperty(
      setup as fc.Arbitrary<ModelSetup>,
      scriptsOf(step as fc.Arbitrary<Step>, STEPS_MIN, STEPS_MAX),
      async (made, script) => {
        const watched = new WatchedModel(made);
        const { model, journal } = watched;
        connectFour(model);
        for (const s of script) await run(model, s);
        await model.settle();
        const wrong = await wrongIn(watched, compared);
        journal.close();
        await model.gateway.hub.close();
        if (wrong.length > 0) throw new Error(wrong.join('\n'));
      },
    );
    await assertRuns(property, RUNS, SEED);
    expect(compared.frames).toBeGreaterThan(RUNS * 10);
  },
  TIMEOUT_MS,
);
