/** Every resume is answered, whatever becomes of it on the way; over the real hub, encoder, ring and gateway modules. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FrameEncoder } from '../../../src/encoder/frame-encoder.js';
import { failed } from '../../../src/feed-contract/feed-outcome.js';
import { RECOVERY_SILENT_MS_MAX } from '../../../src/gateway/events/recovery.js';
import { FrameKind } from '../../../src/threads/ring.js';
import type { FakeSocket } from '../../support/fake-uws.js';
import { OneThreadGateway } from '../../support/one-thread.js';
import { OneThreadFeed } from '../../support/one-thread-feed.js';
import { KILLED } from '../../support/step-thread.js';

type Frame = Record<string, unknown>;

const FOLLOWED_MS = 10;
const ROUNDS = 6;

let feed: OneThreadFeed;
let gateway: OneThreadGateway;
let socket: FakeSocket;
let frames: Frame[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  feed = new OneThreadFeed(false);
  gateway = new OneThreadGateway({
    encoders: 1,
    symbols: ['A'],
    feed,
    historyBytes: 1024 * 1024,
    backpressureBytes: 65_536,
    isRefused: () => false,
  });
  frames = [];
  socket = gateway.connect({ sub: 'alice', format: 'json', tier: 'institutional' }, bytes => {
    frames.push(...[JSON.parse(Buffer.from(bytes).toString())].flat());
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  expect(gateway.faults).toEqual([]);
  await gateway.hub.close();
  vi.useRealTimers();
});

async function settle(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    gateway.deliverInterest();
    await vi.advanceTimersByTimeAsync(FOLLOWED_MS);
    gateway.encode(0);
    await vi.advanceTimersByTimeAsync(FOLLOWED_MS);
    for (let half = 0; half < 2; half++) gateway.turn();
    gateway.flush();
  }
}

/** Without the encoder. */
async function pass(ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 100) {
    gateway.deliverInterest();
    await vi.advanceTimersByTimeAsync(100);
    gateway.turn();
    gateway.sample();
    gateway.flush();
  }
}

let alerts = 0;
const alert = () => feed.put('analytics.alerts', { data: ++alerts, timestamp: '2026-01-01T00:00:00Z' });
const resume = (seq: number) => {
  const since = { epoch: 'gw1', seq };
  gateway.command(socket, { action: 'subscribe', channels: ['alerts'], since, id: 'r' });
  gateway.command(socket, { action: 'ping', id: 'p' });
};
const answer = (id: string) => frames.find(frame => frame.id === id);

it.each([
  ['in its middle', 1],
  ['at its end', 2],
])(
  'K2: a replay of which a piece cannot be written %s is not recovered, and the connection is served',
  async (_, at) => {
    for (let i = 0; i < 5; i++) alert();
    await settle();
    const { emitBatch } = FrameEncoder.prototype;
    let replayed = 0;
    vi.spyOn(FrameEncoder.prototype, 'emitBatch').mockImplementation(function (this: FrameEncoder, ...args) {
      if (args[0] === FrameKind.replay && ++replayed === at) throw new RangeError(KILLED);
      emitBatch.apply(this, args);
    });
    resume(0);
    await settle();
    const positions = { 'analytics:alerts': { epoch: 'gw1', seq: 5 } };
    expect(answer('r')).toMatchObject({ type: 'subscribed', recovered: false, positions });
    expect(answer('p')).toMatchObject({ type: 'pong' });
    alert();
    await settle();
    await pass(100);
    await settle();
    expect(frames.filter(({ type }) => type === 'alert').map(({ prev_seq, seq }) => `${prev_seq}→${seq}`)).toEqual([
      '5→6',
    ]);
  },
);

it('K2: a live batch that cannot be written takes no answer with it', async () => {
  const { emitBatch } = FrameEncoder.prototype;
  let isFailing = true;
  vi.spyOn(FrameEncoder.prototype, 'emitBatch').mockImplementation(function (this: FrameEncoder, ...args) {
    if (isFailing) throw new RangeError(KILLED);
    emitBatch.apply(this, args);
  });
  const other = gateway.connect({ sub: 'bob', format: 'json', tier: 'institutional' }, () => {});
  gateway.command(other, { action: 'subscribe', channels: ['alerts'], id: 's' });
  await settle();
  alert();
  resume(0);
  await settle();
  isFailing = false;
  expect(answer('r')).toMatchObject({ type: 'subscribed' });
  expect(answer('p')).toMatchObject({ type: 'pong' });
});

it('K2: an encoder that stands still holds up a resume for a while, and then nothing of the connection', async () => {
  for (let i = 0; i < 5; i++) alert();
  await settle();
  gateway.command(socket, { action: 'subscribe', channels: ['exposure-updates'], id: 's' });
  await settle();
  resume(2);
  await pass(RECOVERY_SILENT_MS_MAX - 500);
  expect([answer('r'), answer('p')]).toEqual([undefined, undefined]);
  await pass(2_000);
  expect(answer('r')).toMatchObject({ type: 'subscribed', recovered: false });
  expect(answer('p')).toMatchObject({ type: 'pong' });
  // What was missed until the encoder is back is told; then messages come as ever.
  alert();
  await settle();
  alert();
  await settle();
  await pass(100);
  await settle();
  const told = frames.filter(({ type }) => type === 'alert' || type === 'gap');
  expect(told.at(-1)).toMatchObject({ type: 'alert', seq: 7 });
  expect(told.find(({ type }) => type === 'gap')).toMatchObject({ topic: 'analytics:alerts', epoch: 'gw1' });
});

it('K2: a resume whose lane is live ends at the place where the lane stands, without a gap', async () => {
  const other = gateway.connect({ sub: 'bob', format: 'json', tier: 'institutional' }, () => {});
  gateway.command(other, { action: 'subscribe', channels: ['alerts'], id: 's' });
  for (let i = 0; i < 3; i++) alert();
  await settle();
  await pass(100);
  await settle();
  resume(1);
  await pass(RECOVERY_SILENT_MS_MAX + 1_000);
  const positions = { 'analytics:alerts': { epoch: 'gw1', seq: 3 } };
  expect(answer('r')).toMatchObject({ type: 'subscribed', recovered: false, positions });
  alert();
  await settle();
  await pass(100);
  await settle();
  const told = frames.filter(({ type }) => type === 'alert' || type === 'gap');
  expect(told.map(({ type, prev_seq, seq }) => `${type} ${prev_seq}→${seq}`)).toEqual(['alert 3→4']);
});

it('J4: a replay whose client disconnects leaves the hub, and the next client is sent all that it missed', async () => {
  const answers: Frame[] = [];
  const other = gateway.connect({ sub: 'bob', format: 'json', tier: 'institutional' }, bytes => {
    answers.push(...[JSON.parse(Buffer.from(bytes).toString())].flat());
  });
  gateway.command(other, { action: 'subscribe', channels: ['alerts'] });
  await settle();
  for (let i = 0; i < 500; i++) alert();
  await settle();
  resume(0);
  gateway.deliverInterest();
  gateway.disconnect(socket);
  gateway.deliverInterest();
  expect(gateway.hub.replays).toEqual({ recovered: 0, unrecovered: 0, cancelled: 1 });
  await settle();
  const before = answers.length;
  gateway.command(other, { action: 'subscribe', channels: ['alerts'], since: { epoch: 'gw1', seq: 400 }, id: 'o' });
  for (let round = 0; round < 20; round++) await settle();
  expect(answers.find(({ id }) => id === 'o')).toMatchObject({ type: 'subscribed', recovered: true });
  expect(answers.slice(before).filter(({ type }) => type === 'alert')).toHaveLength(100);
});

it('R29 a resume waits while the store cannot be read, and holds up no other command', async () => {
  await gateway.hub.close();
  feed = new OneThreadFeed(true);
  gateway = new OneThreadGateway({
    encoders: 1,
    symbols: ['A'],
    feed,
    historyBytes: 0,
    backpressureBytes: 65_536,
    isRefused: () => false,
  });
  const connect = (sub: string) =>
    gateway.connect({ sub, format: 'json', tier: 'institutional' }, bytes => {
      frames.push(...[JSON.parse(Buffer.from(bytes).toString())].flat().map(frame => ({ ...frame, sub })));
    });
  socket = connect('alice');
  const positions = Array.from({ length: 5 }, () => feed.put('analytics.alerts', { data: 1 }));
  await settle();
  const stored = vi.spyOn(feed, 'stored').mockResolvedValue(failed('unreachable', 'no leader'));
  const since = positions[1];
  gateway.command(socket, { action: 'subscribe', channels: ['alerts'], since, id: 'r' });
  gateway.command(socket, { action: 'ping', id: 'p' });
  await settle();
  expect([answer('r'), answer('p')]).toEqual([undefined, expect.objectContaining({ type: 'pong' })]);
  // Another client shares the replay that waits.
  const other = connect('bob');
  gateway.command(other, { action: 'subscribe', channels: ['alerts'], since, id: 'r2' });
  gateway.command(other, { action: 'ping', id: 'p2' });
  await pass(RECOVERY_SILENT_MS_MAX + 2_000);
  expect([answer('r'), answer('r2')]).toEqual([undefined, undefined]);
  expect(answer('p2')).toMatchObject({ type: 'pong' });
  stored.mockRestore();
  for (let round = 0; round < 10; round++) await settle();
  expect([answer('r'), answer('r2')]).toMatchObject([{ recovered: true }, { recovered: true }]);
  const alertsOf = (name: string) => frames.filter(({ type, sub }) => type === 'alert' && sub === name);
  for (const name of ['alice', 'bob']) expect(alertsOf(name).map(({ seq }) => seq)).toEqual([3, 4, 5]);
});
