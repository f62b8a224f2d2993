/** P11: events of a topic come after the `subscribed` that names it, however many are published while it is answered. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeSocket } from '../../support/fake-uws.js';
import { OneThreadGateway } from '../../support/one-thread.js';
import { OneThreadFeed } from '../../support/one-thread-feed.js';

type Frame = Record<string, unknown>;
interface Client {
  readonly socket: FakeSocket;
  readonly frames: Frame[];
}
interface Position {
  readonly epoch: string;
  readonly seq: number;
}

const ROUND_MS = 10;
/** How often each stream is tried, with events between other steps each time. */
const REPETITIONS = 64;
/** Where events are published: before the command, the interest, the encoding, the first and the second half turn. */
const STEPS = 5;
const BACKPRESSURE_BYTES = 4096;

let feed: OneThreadFeed;
let gateway: OneThreadGateway;
let commands: number;
let events: number;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  feed = new OneThreadFeed(false);
  commands = 0;
  events = 0;
  gateway = new OneThreadGateway({
    encoders: 2,
    symbols: ['S*'],
    feed,
    historyBytes: 1024 * 1024,
    backpressureBytes: BACKPRESSURE_BYTES,
    isRefused: () => false,
  });
});

afterEach(async () => {
  expect(gateway.faults).toEqual([]);
  await gateway.hub.close();
  vi.useRealTimers();
});

function connect(tier: 'institutional' | 'retail' = 'institutional'): Client {
  const frames: Frame[] = [];
  const socket = gateway.connect({ sub: 'alice', format: 'json', tier }, (bytes, _isBinary, isLost) => {
    if (!isLost) frames.push(...[JSON.parse(Buffer.from(bytes).toString())].flat());
  });
  return { socket, frames };
}

const trade = (symbol: string): void => {
  feed.put(`md.trades.${symbol}`, { trade_id: `t${++events}`, symbol, price: '1', quantity: '1' });
};

function subscribe(client: Client, command: object): string {
  const id = `c${++commands}`;
  gateway.command(client.socket, { action: 'subscribe', id, ...command });
  return id;
}

/** One round of everything, with `publish` called before each step. */
async function round(publish: (step: number) => void = () => {}): Promise<void> {
  publish(1);
  gateway.deliverInterest();
  for (const shard of [0, 1]) {
    await vi.advanceTimersByTimeAsync(0);
    publish(2);
    gateway.encode(shard);
    await vi.advanceTimersByTimeAsync(0);
  }
  publish(3);
  gateway.turn();
  publish(4);
  gateway.turn();
  gateway.flush();
  await vi.advanceTimersByTimeAsync(ROUND_MS);
}

async function settle(): Promise<void> {
  for (let n = 0; n < 6; n++) await round();
}

const isEvent = ({ type }: Frame): boolean => type === 'trade_executed' || type === 'room_message' || type === 'gap';
const answerAt = ({ frames }: Client, id: string): number => frames.findIndex(frame => frame.id === id);

/** What came of a topic before the answer; and whether the first event after it follows the position it gives. */
function expectInOrder(client: Client, id: string, topic: string): void {
  const at = answerAt(client, id);
  expect(client.frames[at]).toMatchObject({ type: 'subscribed' });
  const of = (frame: Frame) => isEvent(frame) && (frame.topic ?? topicOf(frame)) === topic;
  expect(client.frames.slice(0, at).filter(of)).toEqual([]);
  const position = (client.frames[at]?.positions as Record<string, Position> | undefined)?.[topic];
  const [first] = client.frames.slice(at).filter(of);
  if (first !== undefined) expect([topic, first.prev_seq]).toEqual([topic, position?.seq ?? 0]);
}

function topicOf({ type, symbol, room }: Frame): string {
  return type === 'room_message' ? `rooms:${room}` : `trades:${symbol}`;
}

describe('P11 events of a topic whose view is new', () => {
  it.each(['institutional', 'retail'] as const)('P11 come after `subscribed` (%s)', async tier => {
    const client = connect(tier);
    for (let n = 0; n < REPETITIONS; n++) {
      const symbol = `S${n}`;
      // Each repetition publishes before another set of steps.
      const publish = (step: number): void => {
        if ((n & (1 << step)) !== 0) for (let i = 0; i <= n % 3; i++) trade(symbol);
      };
      publish(0);
      const id = subscribe(client, { stream: 'trades', symbol });
      for (let i = 0; i < 4; i++) await round(publish);
      trade(symbol);
      await settle();
      expectInOrder(client, id, `trades:${symbol}`);
    }
    expect(REPETITIONS).toBeGreaterThanOrEqual(2 ** STEPS);
  });

  it('P11 come after `subscribed` of a room', async () => {
    const client = connect();
    for (let n = 0; n < REPETITIONS; n++) {
      const publish = (step: number): void => {
        if ((n & (1 << step)) !== 0) feed.put(`rooms.R${n}`, { from: 'x', data: ++events });
      };
      const id = subscribe(client, { stream: 'rooms', room: `R${n}` });
      for (let i = 0; i < 6; i++) await round(publish);
      feed.put(`rooms.R${n}`, { from: 'x', data: ++events });
      await settle();
      expectInOrder(client, id, `rooms:R${n}`);
    }
  });

  it('P11 come after `subscribed`, also of those of its topics that others already follow', async () => {
    const other = connect();
    subscribe(other, { stream: 'trades', symbol: 'S-old' });
    await settle();
    const client = connect();
    for (let n = 0; n < REPETITIONS; n++) {
      const publish = (step: number): void => {
        if ((n & (1 << step)) === 0) return;
        trade('S-old');
        trade(`S${n}`);
      };
      const id = subscribe(client, { stream: 'trades', symbols: ['S-old', `S${n}`] });
      for (let i = 0; i < 4; i++) await round(publish);
      for (const symbol of ['S-old', `S${n}`]) trade(symbol);
      await settle();
      for (const symbol of ['S-old', `S${n}`]) expectInOrder({ ...client }, id, `trades:${symbol}`);
      gateway.command(client.socket, { action: 'unsubscribe', stream: 'trades', symbols: ['S-old', `S${n}`] });
      await settle();
      client.frames.length = 0;
    }
  });

  it('P11 of all symbols come after `subscribed`', async () => {
    for (let n = 0; n < REPETITIONS; n++) {
      const client = connect(n % 2 === 0 ? 'retail' : 'institutional');
      const id = subscribe(client, { stream: 'trades' });
      for (let i = 0; i < 4; i++) {
        await round(step => {
          if ((n & (1 << step)) !== 0) trade(`S${n % 5}`);
        });
      }
      await settle();
      const at = answerAt(client, id);
      expect(at).toBeGreaterThanOrEqual(0);
      expect(client.frames.slice(0, at).filter(isEvent)).toEqual([]);
      gateway.disconnect(client.socket);
    }
  });

  it('P11 are not lost while the socket is suspended: the client is told what followed `subscribed`, and no more', async () => {
    const client = connect();
    subscribe(client, { stream: 'trades', symbol: 'S-full' });
    await settle();
    const id = subscribe(client, { stream: 'trades', symbol: 'S-new' });
    // The request is on its way when the socket stops reading, and is answered while it is suspended.
    client.socket.isReading = false;
    for (let n = 0; n < 40; n++) trade('S-full');
    await settle();
    trade('S-new');
    await settle();
    expect(client.socket.session.isSuspended).toBe(true);
    trade('S-new');
    await settle();
    client.socket.drain();
    for (let n = 0; n < 4; n++) {
      gateway.sample();
      await settle();
    }
    trade('S-new');
    await settle();
    const ofNew = client.frames.filter(frame => isEvent(frame) && (frame.topic ?? topicOf(frame)) === 'trades:S-new');
    const [answer] = client.frames.filter(frame => frame.id === id);
    // The answer itself may have been dropped.
    const seq = (answer?.positions as Record<string, Position> | undefined)?.['trades:S-new']?.seq ?? 0;
    const covered = ofNew.flatMap(({ type, from, to, prev_seq, seq: last }) =>
      type === 'gap' ? [[from, to]] : [[(prev_seq as number) + 1, last]],
    );
    expect(covered[0]?.[0]).toBe(seq + 1);
    expect(covered.at(-1)?.[1]).toBe(3);
    for (const [n, [from]] of covered.entries()) if (n > 0) expect(from).toBe((covered[n - 1]?.[1] as number) + 1);
  });
});
