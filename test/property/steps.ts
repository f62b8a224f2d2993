/** What may happen to a market model, as generated steps. */
import fc from 'fast-check';
import { vi } from 'vitest';
import type { StreamPosition } from '../../src/protocol/stream-position.js';
import { subjectOf } from '../../src/protocol/topics.js';
import {
  type ConnectedClient,
  EVENT_NAMES,
  type EventStream,
  type MarketModel,
  STATE_STREAMS,
  SYMBOLS,
} from './market-model.js';

const symbol = fc.constantFrom(...SYMBOLS);
const clientIndex = fc.nat(7);
const level = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 3 }));
/** Few topics, so that much happens to each. */
const stream = fc.constantFrom<EventStream>('trades', 'trades', 'orders', 'analytics', 'rooms');
const topic = stream.chain(of =>
  fc.record({ stream: fc.constant(of), name: fc.constantFrom<string>(EVENT_NAMES[of][0], ...EVENT_NAMES[of]) }),
);
const topics = stream.chain(of =>
  fc.record({ stream: fc.constant(of), names: fc.subarray<string>([...EVENT_NAMES[of]], { minLength: 1 }) }),
);
const stateStream = fc.constantFrom(...STATE_STREAMS);
const clientKind = fc.record({
  isMsgpack: fc.boolean(),
  isRetail: fc.boolean(),
  isStamped: fc.boolean(),
  isFull: fc.boolean(),
});

const SECOND_MS = 1000;
/** Between two checks of the sockets. */
const PACE_ROUND_MS = 50;

const is = <T extends string>(op: T) => ({ op: fc.constant(op) });

/** State topics, as they are published and asked for. */
const STATE_STEPS = [
  {
    weight: 24,
    arbitrary: fc.record({ ...is('quote'), symbol, price: fc.nat(9), field: fc.nat(5), isPartial: fc.boolean() }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      ...is('book'),
      symbol,
      levels: fc.array(level, { maxLength: 30 }),
      isSnapshot: fc.nat(9).map(n => n === 0),
    }),
  },
  {
    weight: 16,
    arbitrary: fc.record({
      ...is('subscribe'),
      clientIndex,
      stream: stateStream,
      symbols: fc.subarray([...SYMBOLS], { minLength: 1 }),
      rateClass: fc.nat(3),
      depth: fc.nat(2),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...is('bad_state'),
      kind: fc.constantFrom('quotes' as const, 'books' as const),
      symbol,
      isPartial: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ ...is('unsubscribe'), clientIndex, stream: stateStream, symbol }) },
  { weight: 4, arbitrary: fc.record({ ...is('resync'), clientIndex, stream: stateStream, symbol }) },
  { weight: 2, arbitrary: fc.record({ ...is('quote_burst'), symbol, count: fc.integer({ min: 50, max: 400 }) }) },
] as const;

const position = fc.constantFrom(
  'held',
  'held',
  'held',
  'published',
  'published',
  'near',
  'beginning',
  'future',
  'elsewhere',
);

/** Event topics: publishing, following, coming back. */
const EVENT_STEPS = [
  {
    weight: 40,
    arbitrary: fc.record({ ...is('event'), topic, count: fc.nat(3), isRefused: fc.nat(7).map(n => n === 0) }),
  },
  { weight: 16, arbitrary: fc.record({ ...is('follow'), clientIndex, topics }) },
  { weight: 2, arbitrary: fc.record({ ...is('follow_all'), clientIndex }) },
  { weight: 20, arbitrary: fc.record({ ...is('resume'), clientIndex, topics, position, pick: fc.nat(1000) }) },
  { weight: 6, arbitrary: fc.record({ ...is('leave'), clientIndex, topic }) },
  { weight: 2, arbitrary: fc.record({ ...is('leave_all'), clientIndex }) },
  { weight: 8, arbitrary: fc.record({ ...is('reconnect'), clientIndex }) },
  { weight: 4, arbitrary: fc.record({ ...is('heartbeat') }) },
] as const;

/** What goes wrong: clients, encoders, publishers, the feed. */
const TROUBLE_STEPS = [
  {
    weight: 3,
    arbitrary: fc.record({
      ...is('event_burst'),
      topic,
      count: fc.integer({ min: 10, max: 300 }),
      isLarge: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...is('disconnect'), clientIndex }) },
  { weight: 14, arbitrary: fc.record({ ...is('stop_reading'), clientIndex }) },
  { weight: 10, arbitrary: fc.record({ ...is('read_some'), clientIndex, messages: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 4, arbitrary: fc.record({ ...is('read_again'), clientIndex }) },
  { weight: 2, arbitrary: fc.record({ ...is('crash'), shard: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ ...is('renumber'), topic, isNumbered: fc.nat(3).map(n => n > 0) }) },
  { weight: 2, arbitrary: fc.record({ ...is('publisher_gap'), topic, messages: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ ...is('repeat'), topic }) },
  { weight: 1, arbitrary: fc.record({ ...is('trim'), messages: fc.nat(40) }) },
] as const;

/** The feed's numbering begins anew, or may have a hole. */
const EPOCH_STEPS = [
  { weight: 1, arbitrary: fc.record({ ...is('outage') }) },
  { weight: 1, arbitrary: fc.record({ ...is('recreate') }) },
] as const;

/** What lets things happen, each in its own time. */
const TIME_STEPS = [
  { weight: 1, arbitrary: fc.record({ ...is('connect'), kind: clientKind }) },
  { weight: 12, arbitrary: fc.record({ ...is('interest') }) },
  { weight: 24, arbitrary: fc.record({ ...is('encode'), shard: fc.nat(1) }) },
  { weight: 24, arbitrary: fc.record({ ...is('turn') }) },
  { weight: 10, arbitrary: fc.record({ ...is('flush') }) },
  { weight: 16, arbitrary: fc.record({ ...is('work') }) },
  { weight: 10, arbitrary: fc.record({ ...is('time'), ms: fc.constantFrom(5, 5, 5, 20, 20, 150, 1100, 3500) }) },
] as const;

/** Clients that fall behind by and by, and that keep up for a while: the gateway checks them in between. */
const PACE_STEPS = [
  ...EVENT_STEPS.filter(({ weight }) => weight >= 16),
  {
    weight: 30,
    arbitrary: fc.record({
      ...is('fall_behind'),
      clientIndex,
      rounds: fc.integer({ min: 2, max: 10 }),
      quotes: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 20,
    arbitrary: fc.record({ ...is('keep_up'), clientIndex, rounds: fc.integer({ min: 1, max: 8 }), quotes: fc.nat(2) }),
  },
] as const;

export const slowAndFast = fc.oneof(...STATE_STEPS, ...PACE_STEPS, ...TIME_STEPS);
export const anything = fc.oneof(...STATE_STEPS, ...EVENT_STEPS, ...TROUBLE_STEPS, ...TIME_STEPS);
export const eventsOnly = fc.oneof(...EVENT_STEPS, ...TROUBLE_STEPS, ...EPOCH_STEPS, ...TIME_STEPS);
export const eventsWithoutTrouble = fc.oneof(...EVENT_STEPS, ...TIME_STEPS);

const HISTORY_BYTES_ENOUGH = 4 * 1024 * 1024;
export const anySetup = fc.record({
  encoders: fc.constant(2),
  isStream: fc.boolean(),
  historyBytes: fc.constantFrom(0, 2048, 8192, HISTORY_BYTES_ENOUGH, HISTORY_BYTES_ENOUGH),
  backpressureBytes: fc.constantFrom(400, 1024, 4096),
  isCalm: fc.constant(false),
});
export const slowSetup = fc.record({
  encoders: fc.constant(2),
  isStream: fc.boolean(),
  historyBytes: fc.constant(HISTORY_BYTES_ENOUGH),
  backpressureBytes: fc.constantFrom(4096, 8192),
  isCalm: fc.constant(false),
});
export const calmSetup = fc.record({
  encoders: fc.constant(2),
  isStream: fc.boolean(),
  historyBytes: fc.constant(HISTORY_BYTES_ENOUGH),
  backpressureBytes: fc.constant(4096),
  isCalm: fc.constant(true),
});

type StepOf<T> = T extends readonly { readonly arbitrary: fc.Arbitrary<infer S> }[] ? S : never;
export type Step =
  | StepOf<typeof STATE_STEPS>
  | StepOf<typeof EVENT_STEPS>
  | StepOf<typeof TROUBLE_STEPS>
  | StepOf<typeof PACE_STEPS>
  | StepOf<typeof EPOCH_STEPS>
  | StepOf<typeof TIME_STEPS>;

export async function run(model: MarketModel, s: Step): Promise<void> {
  if ('clientIndex' in s) {
    const open = model.clients.filter(({ socket }) => socket.isOpen);
    const client = open[s.clientIndex % Math.max(1, open.length)];
    if (client === undefined) return;
    if (s.op === 'fall_behind' || s.op === 'keep_up') await runOfPace(model, client, s);
    else runOfClient(model, client, s);
  } else if ('topic' in s) runOfTopic(model, s);
  else await runOfGateway(model, s);
  await vi.advanceTimersByTimeAsync(0);
}

type PaceStep = Extract<Step, { op: 'fall_behind' | 'keep_up' }>;

async function runOfPace(model: MarketModel, client: ConnectedClient, s: PaceStep): Promise<void> {
  if (s.op === 'fall_behind') client.socket.isReading = false;
  else client.socket.drain();
  for (let round = 0; round < s.rounds; round++) {
    for (let n = 0; n < s.quotes; n++) {
      for (const name of SYMBOLS) {
        model.quote(name, n, round, false);
        model.book(name, [[n + 1, round]], false);
      }
    }
    await model.work();
    model.gateway.sample();
    await vi.advanceTimersByTimeAsync(PACE_ROUND_MS);
  }
}

function runOfClient(
  model: MarketModel,
  client: ConnectedClient,
  s: Exclude<Extract<Step, { clientIndex: number }>, PaceStep>,
): void {
  const { gateway } = model;
  switch (s.op) {
    case 'subscribe':
      model.subscribe(client, s.stream, s.symbols, s.rateClass, s.depth);
      break;
    case 'unsubscribe':
      model.unsubscribe(client, `${s.stream}:${s.symbol}`);
      break;
    case 'resync':
      gateway.subscriptions.resync(
        client.socket.session,
        [s.symbol, ...SYMBOLS].map(symbol => `${s.stream}:${symbol}`),
      );
      break;
    case 'follow':
      model.follow(client, s.topics.stream, s.topics.names);
      break;
    case 'follow_all':
      model.follow(client, 'trades', ['*']);
      break;
    case 'resume':
      model.follow(client, s.topics.stream, s.topics.names, positionFor(model, client, s));
      break;
    case 'leave':
      model.leave(client, s.topic.stream, s.topic.name);
      break;
    case 'leave_all':
      model.leave(client, 'trades', '*');
      break;
    case 'reconnect':
      model.reconnect(client);
      break;
    case 'disconnect':
      gateway.disconnect(client.socket);
      break;
    case 'stop_reading':
      client.socket.isReading = false;
      break;
    case 'read_some':
      client.socket.isReading = false;
      client.socket.read(s.messages);
      break;
    case 'read_again':
      client.socket.drain();
      break;
  }
}

function runOfTopic(model: MarketModel, s: Extract<Step, { topic: object }>): void {
  const { feed } = model;
  const { stream, name } = (s as { topic: { stream: EventStream; name: string } }).topic;
  const subject = subjectOf(stream, name);
  switch (s.op) {
    case 'event':
      for (let i = 0; i <= s.count; i++) model.event(stream, name, s.isRefused && i === s.count);
      break;
    case 'event_burst':
      for (let i = 0; i < s.count; i++) model.event(stream, name, false, s.isLarge && i < 40);
      break;
    case 'renumber':
      feed.renumber(subject, s.isNumbered);
      break;
    case 'publisher_gap':
      feed.lose(subject, s.messages);
      break;
    case 'repeat':
      feed.repeat(subject);
      break;
  }
}

async function runOfGateway(
  model: MarketModel,
  s: Exclude<Step, { clientIndex: number } | { topic: object }>,
): Promise<void> {
  const { gateway, feed } = model;
  switch (s.op) {
    case 'bad_state':
      model.badState(s.kind, s.symbol, s.isPartial);
      return;
    case 'quote':
      model.quote(s.symbol, s.price, s.field, s.isPartial);
      break;
    case 'book':
      model.book(s.symbol, s.levels, s.isSnapshot);
      break;
    case 'quote_burst':
      for (let i = 0; i < s.count; i++) {
        model.quote(s.symbol, i % 10, i, false);
        model.event('trades', s.symbol);
      }
      break;
    case 'connect':
      model.connect(s.kind);
      break;
    case 'work':
      await model.work();
      break;
    case 'heartbeat':
      gateway.heartbeat();
      break;
    case 'crash':
      gateway.crash(s.shard);
      break;
    case 'outage':
      model.outage();
      break;
    case 'trim':
      feed.trim(s.messages);
      break;
    case 'recreate':
      model.recreate();
      break;
    case 'interest':
      gateway.deliverInterest();
      break;
    case 'encode':
      gateway.encode(s.shard);
      break;
    case 'turn':
      gateway.turn();
      break;
    case 'flush':
      gateway.flush();
      gateway.sample();
      break;
    case 'time':
      // An encoder that takes nothing for seconds would be dead.
      if (s.ms > SECOND_MS) await model.work();
      await vi.advanceTimersByTimeAsync(s.ms);
  }
}

/** Where the client says that it stood. */
function positionFor(model: MarketModel, client: ConnectedClient, s: Extract<Step, { op: 'resume' }>): StreamPosition {
  const { stream, names } = s.topics;
  const topic = `${stream}:${stream === 'orders' ? client.sub : names[0]}`;
  const held = client.checker.events.held.get(topic);
  const positions = model.log.positions(topic);
  const published = positions[s.pick % Math.max(1, positions.length)];
  const last = positions.at(-1);
  switch (s.position) {
    case 'held':
      return held ?? published ?? { epoch: 'gw1', seq: 0 };
    case 'published':
      return published ?? { epoch: 'gw1', seq: 0 };
    case 'near':
      return { epoch: published?.epoch ?? 'gw1', seq: (published?.seq ?? 0) + (s.pick % 3) };
    case 'beginning':
      return { epoch: last?.epoch ?? 'gw1', seq: 0 };
    case 'future':
      return { epoch: last?.epoch ?? 'gw1', seq: (last?.seq ?? 0) + 1 + (s.pick % 5) };
    case 'elsewhere':
      return { epoch: 'elsewhere', seq: s.pick };
  }
}
