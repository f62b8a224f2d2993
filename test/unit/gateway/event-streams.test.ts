/** Event topics over the real hub, encoder, ring and gateway modules in one thread: what a client is sent, frame by frame. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeSocket } from '../../support/fake-uws.js';
import { OneThreadGateway } from '../../support/one-thread.js';
import { OneThreadFeed } from '../../support/one-thread-feed.js';

type Frame = Record<string, unknown>;
interface Client {
  readonly socket: FakeSocket;
  /** What the client has read. */
  readonly frames: Frame[];
}

const FOLLOWED_MS = 10;
/** Until an encoder that died is replaced. */
const REPLACED_MS = 200;
const ROUNDS = 6;

let feed: OneThreadFeed;
let gateway: OneThreadGateway;
let commands = 0;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  open();
});

afterEach(async () => {
  expect(gateway.faults).toEqual([]);
  await gateway.hub.close();
  vi.useRealTimers();
});

function open({ isStream = false, backpressureBytes = 4096, historyBytes = 1024 * 1024 } = {}): void {
  feed = new OneThreadFeed(isStream);
  const isRefused = (payload: Uint8Array) => Buffer.from(payload).includes('"bad"');
  gateway = new OneThreadGateway({
    encoders: 2,
    symbols: ['A', 'B', 'C'],
    feed,
    historyBytes,
    backpressureBytes,
    isRefused,
  });
}

function connect(sub = 'alice', tier: 'institutional' | 'retail' = 'institutional'): Client {
  const frames: Frame[] = [];
  const socket = gateway.connect({ sub, format: 'json', tier }, (bytes, _isBinary, isLost) => {
    if (!isLost) frames.push(...[JSON.parse(Buffer.from(bytes).toString())].flat());
  });
  return { socket, frames };
}

/** Sends a command and returns its id. */
function send(client: Client, command: object): string {
  const id = `c${++commands}`;
  gateway.command(client.socket, { id, ...command });
  return id;
}

const subscribe = (client: Client, stream: string, symbols: string[], since?: object) =>
  send(client, { action: 'subscribe', stream, symbols, ...(since && { since }) });

/** Lets everything come through that is on its way. */
async function settle(rounds = ROUNDS): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await encodeAll();
    for (let half = 0; half < 2; half++) gateway.turn();
    gateway.flush();
    await vi.advanceTimersByTimeAsync(FOLLOWED_MS);
  }
}

/** As `settle`, up to the ring: nothing is read from it. */
async function encodeAll(): Promise<void> {
  gateway.deliverInterest();
  for (const shard of [0, 1]) {
    await vi.advanceTimersByTimeAsync(0);
    gateway.encode(shard);
    await vi.advanceTimersByTimeAsync(0);
  }
}

let trades = 0;
function trade(symbol: string, padding = ''): void {
  feed.put(`md.trades.${symbol}`, { trade_id: `t${++trades}`, symbol, price: '1', quantity: '1', padding });
}
const badTrade = (symbol: string): void => {
  feed.put(`md.trades.${symbol}`, { bad: true, symbol });
};

const answer = (client: Client, id: string): Frame | undefined => client.frames.find(frame => frame.id === id);
const ofType = (client: Client, type: string): Frame[] => client.frames.filter(frame => frame.type === type);
/** Of each event its place in the chain: `1→2`. */
const chain = (client: Client, symbol: string): string[] =>
  ofType(client, 'trade_executed')
    .filter(frame => frame.symbol === symbol)
    .map(({ prev_seq, seq }) => `${prev_seq}→${seq}`);
const gaps = (client: Client): string[] =>
  ofType(client, 'gap').map(({ topic, from, to, reason }) => `${topic} ${from}–${to} ${reason}`);

describe('J2 J4 the trades of all symbols that a client leaves and comes back to', () => {
  it('continue without a hole, and what passed in between is not sent', async () => {
    const client = connect();
    trade('A');
    subscribe(client, 'trades', ['*']);
    await settle();
    trade('A');
    await settle();
    send(client, { action: 'unsubscribe', stream: 'trades', symbol: '*' });
    trade('A');
    trade('B');
    await settle();
    const asked = gateway.hub.shards.map(({ encodedRecords }) => encodedRecords);
    subscribe(client, 'trades', ['*']);
    await settle();
    expect(gateway.hub.shards.map(({ encodedRecords }) => encodedRecords)).toEqual(asked);
    for (const symbol of ['A', 'B']) trade(symbol);
    await settle();
    expect([chain(client, 'A'), chain(client, 'B')]).toEqual([['1→2', '3→4'], ['1→2']]);
    expect(gaps(client)).toEqual([]);
  });
});

describe('who gets an event', () => {
  it('R22 who follows all trades gets nobody’s orders, nor rooms, nor analytics', async () => {
    const [watcher, bob] = [connect('alice'), connect('bob')];
    subscribe(watcher, 'trades', ['*']);
    subscribe(bob, 'orders', []);
    subscribe(bob, 'rooms', ['desk']);
    subscribe(bob, 'analytics', ['alerts']);
    await settle();
    feed.put('orders.bob', { order_id: 'o1', action: 'created' });
    feed.put('rooms.desk', { from: 'bob', data: 1 });
    feed.put('analytics.alerts', { data: 1 });
    trade('A');
    await settle();
    expect(bob.frames.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['order_update', 'room_message', 'alert']),
    );
    expect(watcher.frames.map(({ type }) => type)).toEqual(['subscribed', 'trade_executed']);
  });

  it('R22 no more in another tier, or once the order’s owner has left', async () => {
    const [watcher, bob] = [connect('alice', 'retail'), connect('bob')];
    subscribe(watcher, 'trades', ['*']);
    subscribe(bob, 'orders', []);
    await settle();
    feed.put('orders.bob', { order_id: 'o1', action: 'created' });
    await encodeAll();
    gateway.disconnect(bob.socket);
    await settle();
    expect(watcher.frames.map(({ type }) => type)).toEqual(['subscribed']);
  });
});

describe('R29 resume', () => {
  it('R29 sends what was missed, then goes on live', async () => {
    for (let i = 0; i < 5; i++) trade('A');
    const client = connect();
    const id = subscribe(client, 'trades', ['A'], { epoch: 'gw1', seq: 2 });
    await settle();
    trade('A');
    await settle();
    expect(answer(client, id)).toMatchObject({ type: 'subscribed', recovered: true });
    expect(answer(client, id)).not.toHaveProperty('positions');
    expect(chain(client, 'A')).toEqual(['2→3', '3→4', '4→5', '5→6']);
  });

  it('R29 a place ahead of the topic moves nobody else’s chain', async () => {
    const [client, other] = [connect(), connect('bob')];
    subscribe(other, 'trades', ['A']);
    await settle();
    trade('A');
    for (let i = 0; i < 3; i++) badTrade('A');
    await settle();
    const id = subscribe(client, 'trades', ['A'], { epoch: 'gw1', seq: 3 });
    await settle();
    trade('A');
    await settle();
    expect(answer(client, id)).toMatchObject({ recovered: true });
    expect(chain(other, 'A')).toEqual(['0→1', '4→5']);
    expect(gaps(other)).toEqual(['trades:A 2–4 refused']);
    expect(chain(client, 'A')).toEqual(['4→5']);
  });

  it('R29 a place in the future begins anew', async () => {
    trade('A');
    const client = connect();
    const id = subscribe(client, 'trades', ['A'], { epoch: 'gw1', seq: 9 });
    await settle();
    expect(answer(client, id)).toMatchObject({ recovered: false, positions: { 'trades:A': { epoch: 'gw1', seq: 1 } } });
  });

  it('R29 several topics are recovered together, or none is', async () => {
    for (let i = 0; i < 3; i++) for (const symbol of ['A', 'B']) trade(symbol);
    trade('A');
    const client = connect();
    const all = subscribe(client, 'trades', ['A', 'B'], { epoch: 'gw1', seq: 2 });
    await settle();
    expect(answer(client, all)).toMatchObject({ recovered: true });
    expect([chain(client, 'A'), chain(client, 'B')]).toEqual([['2→3', '3→4'], ['2→3']]);
    const other = connect();
    const none = subscribe(other, 'trades', ['A', 'B'], { epoch: 'gw1', seq: 4 });
    await settle();
    const positions = { 'trades:A': { epoch: 'gw1', seq: 4 }, 'trades:B': { epoch: 'gw1', seq: 3 } };
    expect(answer(other, none)).toMatchObject({ recovered: false, positions });
    expect(ofType(other, 'trade_executed')).toEqual([]);
  });

  it('R29 an epoch that begins while another topic’s messages are read is not left out', async () => {
    const client = connect();
    // Each in an encoder of its own: their answers come apart.
    const names = ['r1', 'r2'];
    const id = subscribe(client, 'rooms', names, { epoch: 'elsewhere', seq: 1 });
    await settle(2);
    gateway.deliverInterest();
    await vi.advanceTimersByTimeAsync(FOLLOWED_MS);
    gateway.hub.feedLost();
    for (const name of names) feed.put(`rooms.${name}`, { from: 'x', data: name });
    await settle();
    expect(answer(client, id)).toMatchObject({ recovered: false });
    for (const name of names) {
      const messages = client.frames.filter(({ topic, room }) => topic === `rooms:${name}` || room === name);
      const { positions } = answer(client, id) as { positions: Record<string, { epoch: string }> };
      const isNew = positions[`rooms:${name}`]?.epoch === 'gw1';
      expect(messages.map(({ type }) => type)).toEqual(isNew ? ['room_message'] : ['gap', 'room_message']);
    }
  });

  it('R29 leads past no hole in the publisher’s own numbering', async () => {
    feed.renumber('md.trades.A', true);
    trade('A');
    trade('A');
    feed.lose('md.trades.A', 1);
    trade('A');
    trade('A');
    const [before, behind] = [connect(), connect()];
    const [first, second] = [
      subscribe(before, 'trades', ['A'], { epoch: 'p1', seq: 1 }),
      subscribe(behind, 'trades', ['A'], { epoch: 'p1', seq: 4 }),
    ];
    await settle();
    expect(answer(before, first)).toMatchObject({
      recovered: false,
      positions: { 'trades:A': { epoch: 'p1', seq: 5 } },
    });
    expect(answer(behind, second)).toMatchObject({ recovered: true });
    expect(chain(behind, 'A')).toEqual(['4→5']);
  });

  it('R45 an encoder that dies on the way delays it, and changes nothing', async () => {
    for (let i = 0; i < 5; i++) trade('A');
    await settle();
    const client = connect();
    const id = subscribe(client, 'trades', ['A'], { epoch: 'gw1', seq: 1 });
    gateway.deliverInterest();
    await vi.advanceTimersByTimeAsync(FOLLOWED_MS);
    for (const shard of [0, 1]) gateway.crash(shard);
    await vi.advanceTimersByTimeAsync(REPLACED_MS);
    await settle();
    trade('A');
    await settle();
    expect(answer(client, id)).toMatchObject({ recovered: true });
    expect(chain(client, 'A')).toEqual(['1→2', '2→3', '3→4', '4→5', '5→6']);
  });

  it('R29 a ring that is overrun each time ends it with a place to begin at', async () => {
    for (let i = 0; i < 5; i++) trade('A');
    const client = connect();
    const id = subscribe(client, 'trades', ['A'], { epoch: 'gw1', seq: 1 });
    await encodeAll();
    await vi.advanceTimersByTimeAsync(FOLLOWED_MS);
    for (let i = 0; i < 5; i++) {
      await encodeAll();
      const noise = connect(`noise${i}`);
      for (const shard of [0, 1]) gateway.crash(shard);
      await vi.advanceTimersByTimeAsync(REPLACED_MS);
      await encodeAll();
      gateway.turn();
      gateway.disconnect(noise.socket);
    }
    await settle();
    expect(answer(client, id)).toMatchObject({ recovered: false, positions: { 'trades:A': { epoch: 'gw1', seq: 5 } } });
    trade('A');
    await settle();
    expect(chain(client, 'A')).toEqual(['5→6']);
  });

  it('R8 who follows all trades gets each of a resumed symbol once', async () => {
    for (let i = 0; i < 3; i++) trade('A');
    const client = connect();
    subscribe(client, 'trades', ['*']);
    await settle();
    const id = subscribe(client, 'trades', ['A'], { epoch: 'gw1', seq: 1 });
    trade('A');
    await settle();
    trade('A');
    await settle();
    expect(answer(client, id)).toMatchObject({ recovered: false });
    expect(chain(client, 'A')).toEqual(['3→4', '4→5']);
    expect(gaps(client)).toEqual([]);
  });

  it('R29 what was missed is sent no faster than the client reads, and stays in order', async () => {
    open({ backpressureBytes: 4000 });
    for (let i = 0; i < 30; i++) trade('A');
    const client = connect();
    client.socket.isReading = false;
    subscribe(client, 'trades', ['A'], { epoch: 'gw1', seq: 0 });
    await settle();
    expect(client.socket.bufferedBytes).toBeLessThan(4000);
    trade('A');
    while (client.socket.bufferedBytes > 0) {
      client.socket.read(3);
      gateway.sample();
      await settle(1);
    }
    expect(chain(client, 'A')).toEqual(Array.from({ length: 31 }, (_, i) => `${i}→${i + 1}`));
    expect(gaps(client)).toEqual([]);
  });
});

describe('R40 losses of slow sockets', () => {
  /** Fills the socket until it is suspended. */
  async function stall(client: Client): Promise<void> {
    client.socket.isReading = false;
    for (let i = 0; i < 60; i++) trade('C');
    await settle(2);
    expect(client.socket.session.isSuspended).toBe(true);
  }

  it('R29 who subscribes while suspended is told what passed since the answer', async () => {
    const client = connect();
    trade('A');
    subscribe(client, 'trades', ['C']);
    await settle();
    await stall(client);
    // Two answers fit: the limit is soft.
    client.socket.read(20);
    const id = subscribe(client, 'trades', ['A']);
    client.socket.isReading = false;
    await settle();
    trade('A');
    await settle();
    client.socket.drain();
    await settle();
    trade('A');
    await settle();
    const seq = (answer(client, id)?.positions as Record<string, { seq: number }>)['trades:A']?.seq ?? -1;
    const told = gaps(client).filter(gap => gap.startsWith('trades:A'));
    expect(seq === 1 ? told : ['trades:A 2–2 slow_consumer']).toEqual(['trades:A 2–2 slow_consumer']);
    expect(chain(client, 'A')).toEqual(['2→3']);
  });

  it('R40 single symbols that wait behind the trades of all are told their losses before what follows', async () => {
    const client = connect();
    for (const symbol of ['A', 'B', 'C', '*']) subscribe(client, 'trades', [symbol]);
    await settle();
    trade('A');
    await settle();
    await stall(client);
    trade('A');
    await settle();
    client.socket.drain();
    for (let i = 0; i < 3; i++) {
      gateway.sample();
      await settle(1);
    }
    trade('A');
    await settle();
    expect(gaps(client).filter(gap => gap.startsWith('trades:A'))).toEqual(['trades:A 2–2 slow_consumer']);
    expect(chain(client, 'A')).toEqual(['0→1', '2→3']);
  });

  it('R40 leaving the trades of all symbols while some are lost keeps the loss of the single symbol', async () => {
    const client = connect();
    for (const symbol of ['A', 'C', '*']) subscribe(client, 'trades', [symbol]);
    await settle();
    trade('A');
    await settle();
    await stall(client);
    trade('A');
    await settle();
    client.socket.drain();
    send(client, { action: 'unsubscribe', stream: 'trades' });
    await settle();
    trade('A');
    await settle();
    expect(gaps(client).filter(gap => gap.startsWith('trades:A'))).toEqual(['trades:A 2–2 slow_consumer']);
    expect(chain(client, 'A')).toEqual(['0→1', '2→3']);
  });
});

describe('R6 epochs and gaps', () => {
  it('R6 a topic without a message says that another epoch begins', async () => {
    const client = connect();
    const id = subscribe(client, 'rooms', ['desk']);
    await settle();
    expect(answer(client, id)).toMatchObject({ positions: { 'rooms:desk': { epoch: 'gw1-1', seq: 0 } } });
    gateway.hub.feedLost();
    feed.put('rooms.desk', { from: 'x', data: 1 });
    await settle();
    expect(client.frames.slice(1)).toMatchObject([
      { type: 'gap', reason: 'new_epoch', from: 0, to: 0, epoch: 'gw1.1-2' },
      { type: 'room_message', epoch: 'gw1.1-2', prev_seq: 0, seq: 1 },
    ]);
  });

  it('R6 R15 what was refused is told of before the gap behind it', async () => {
    feed.renumber('md.trades.A', true);
    const client = connect();
    subscribe(client, 'trades', ['A']);
    await settle();
    trade('A');
    badTrade('A');
    feed.lose('md.trades.A', 2);
    trade('A');
    await settle();
    expect(gaps(client)).toEqual(['trades:A 2–2 refused', 'trades:A 3–4 publisher']);
    expect(chain(client, 'A')).toEqual(['0→1', '4→5']);
  });
});
