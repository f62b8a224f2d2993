/** Snapshots and replays that wait for each other, over the real hub, encoder, ring and gateway modules in one thread. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeSocket } from '../../support/fake-uws.js';
import { OneThreadGateway, type OneThreadOptions } from '../../support/one-thread.js';
import { OneThreadFeed } from '../../support/one-thread-feed.js';

type Frame = Record<string, unknown>;
interface Client {
  readonly socket: FakeSocket;
  readonly frames: Frame[];
}

const SYMBOLS = Array.from({ length: 40 }, (_, i) => `S${i}`);
const ROUNDS_MAX = 500;
const ROUND_MS = 5;

let feed: OneThreadFeed;
let gateway: OneThreadGateway;
/** Sequences that were replayed, in order. */
let replayed: number[];
let users = 0;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  open({});
});

afterEach(async () => {
  expect(gateway.faults).toEqual([]);
  await gateway.hub.close();
  vi.useRealTimers();
});

function open(options: Partial<OneThreadOptions>): void {
  feed = new OneThreadFeed(false);
  gateway = new OneThreadGateway({
    encoders: 1,
    symbols: SYMBOLS,
    feed,
    historyBytes: 4 * 1024 * 1024,
    backpressureBytes: 1024 * 1024,
    assemblyBytesMax: 64 * 1024,
    isRefused: () => false,
    ...options,
  });
  replayed = [];
  for (const shard of gateway.hub.shards) {
    const replay = shard.replay.bind(shard);
    shard.replay = (source, payload, seq, ...rest) => {
      replayed.push(seq);
      replay(source, payload, seq, ...rest);
    };
  }
}

function connect(tier: 'institutional' | 'retail' = 'institutional'): Client {
  const frames: Frame[] = [];
  const socket = gateway.connect({ sub: `u${users++}`, format: 'json', tier }, bytes => {
    frames.push(...[JSON.parse(Buffer.from(bytes).toString())].flat());
  });
  return { socket, frames };
}

const send = ({ socket }: Client, command: object) => gateway.command(socket, command);
const quote = (symbol: string, price: number) => feed.put(`md.quotes.${symbol}`, { symbol, current_price: price });
const trade = (id: number, symbol = 'S0') =>
  feed.put(`md.trades.${symbol}`, { symbol, trade_id: id, price: '1', quantity: '1' });

async function round(): Promise<void> {
  gateway.deliverInterest();
  await vi.advanceTimersByTimeAsync(ROUND_MS);
  gateway.encode(0);
  await vi.advanceTimersByTimeAsync(ROUND_MS);
  for (let half = 0; half < 2; half++) gateway.turn();
  gateway.flush();
}

async function settle(): Promise<void> {
  for (let quiet = 0, rounds = 0; quiet < 3; quiet = gateway.isBusy ? 0 : quiet + 1) {
    if (++rounds > ROUNDS_MAX) throw new Error('it never comes to rest');
    await round();
  }
}

const snapshots = ({ frames }: Client) => frames.filter(({ snapshot }) => snapshot === true);
const trades = ({ frames }: Client) => frames.filter(({ type }) => type === 'trade_executed').map(({ seq }) => seq);
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe('J3 R40a resync', () => {
  async function following(): Promise<Client> {
    for (const symbol of SYMBOLS) quote(symbol, 1);
    await settle();
    const client = connect();
    send(client, { action: 'subscribe', stream: 'quotes', symbols: SYMBOLS });
    await settle();
    for (const symbol of SYMBOLS) quote(symbol, 2);
    await settle();
    client.frames.length = 0;
    return client;
  }
  const resync = (client: Client, symbols = SYMBOLS, id = 'r') =>
    send(client, { action: 'resync', stream: 'quotes', symbols, id });

  it('of many quotes is one frame, and the deltas behind it follow each of them', async () => {
    const client = await following();
    resync(client);
    await round();
    for (const symbol of SYMBOLS) quote(symbol, 3);
    await settle();
    const [snapshot, ...more] = snapshots(client);
    expect(more).toEqual([]);
    const seqs = snapshot?.seqs as Record<string, number>;
    expect(Object.keys(seqs).sort()).toEqual([...SYMBOLS].sort());
    const behind = client.frames.slice(client.frames.indexOf(snapshot as Frame) + 1);
    for (const symbol of SYMBOLS) {
      const chain = behind.filter(frame => frame.symbol === symbol).map(({ prev_seq, seq }) => [prev_seq, seq]);
      expect([seqs[symbol], ...chain.flat()].at(-1), symbol).toBe(3);
      expect(chain[0]?.[0] ?? 3, symbol).toBe(seqs[symbol]);
    }
  });

  it('while one is under way is answered by that one', async () => {
    const client = await following();
    for (let i = 0; i < 100; i++) resync(client);
    await settle();
    expect(snapshots(client)).toHaveLength(1);
    resync(client, SYMBOLS.slice(0, 3));
    await settle();
    expect(snapshots(client)).toHaveLength(2);
  });

  it('of some quotes while others are under way is a frame of those', async () => {
    const client = await following();
    resync(client, ['S0', 'S1']);
    resync(client, ['S1', 'S2', 'S2']);
    await settle();
    const of = snapshots(client).map(({ seqs }) => Object.keys(seqs as object).join());
    expect(of.sort()).toEqual(['S0,S1', 'S2']);
  });

  it('names what is not subscribed, and sends the others', async () => {
    const client = await following();
    send(client, { action: 'unsubscribe', stream: 'quotes', symbol: 'S1' });
    resync(client, ['S0', 'S1']);
    await settle();
    expect(client.frames.find(({ type }) => type === 'error')).toMatchObject({ id: 'r', code: 'not_subscribed' });
    expect(snapshots(client)).toMatchObject([{ seqs: { S0: 2 } }]);
  });

  it('costs nobody else anything: other sessions are sent nothing more', async () => {
    const client = await following();
    const other = connect();
    send(other, { action: 'subscribe', stream: 'quotes', symbols: SYMBOLS });
    await settle();
    const before = other.frames.length;
    resync(client);
    await settle();
    expect(other.frames).toHaveLength(before);
  });
});

describe('J2 R40a snapshots', () => {
  const levels = Array.from({ length: 20 }, (_, i) => [String(100 - i), '1']);
  const depth = (client: Client, symbols: readonly string[], rateClass: string) =>
    send(client, { action: 'subscribe', stream: 'depth', symbols, class: rateClass });
  const symbolsOf = (client: Client) => snapshots(client).map(({ symbol }) => symbol);

  beforeEach(async () => {
    for (const symbol of SYMBOLS) feed.put(`md.books.${symbol}`, { symbol, bids: levels, asks: [], snapshot: true });
    await settle();
  });

  it('for institutional clients come before those that retail clients asked for earlier', async () => {
    const [retail, desk] = [connect('retail'), connect()];
    depth(retail, SYMBOLS, '100ms');
    await round();
    depth(desk, SYMBOLS.slice(0, 4), 'realtime');
    for (let rounds = 0; symbolsOf(desk).length < 4; rounds++) {
      if (rounds > 10) throw new Error('the desk waits for retail');
      await round();
    }
    expect(symbolsOf(retail).length).toBeLessThan(SYMBOLS.length / 2);
    await settle();
    expect(symbolsOf(retail).sort()).toEqual([...SYMBOLS].sort());
  });

  it('for one session come in turn with those for another of its tier', async () => {
    const [greedy, modest] = [connect('retail'), connect('retail')];
    depth(greedy, SYMBOLS.slice(0, 30), '1000ms');
    depth(modest, SYMBOLS.slice(30, 34), '1000ms');
    while (symbolsOf(modest).length < 4) await round();
    expect(symbolsOf(greedy).length).toBeLessThan(10);
    await settle();
  });

  it('that a client no longer wants when their turn comes are not made', async () => {
    const client = connect('retail');
    const frames = gateway.hub.counters.frames;
    for (let i = 0; i < 20; i++) depth(client, SYMBOLS, i % 2 === 0 ? '100ms' : '1000ms');
    await settle();
    expect(gateway.hub.counters.frames - frames).toBeLessThan(2 * SYMBOLS.length);
    expect(new Set(symbolsOf(client)).size).toBe(SYMBOLS.length);
  });
});

describe('J4 R40a replays', () => {
  const TRADES = 60;
  const resume = (client: Client, seq: number, epoch = 'gw1') =>
    send(client, { action: 'subscribe', stream: 'trades', symbol: 'S0', since: { epoch, seq }, id: 's' });
  const isRecovered = ({ frames }: Client) => frames.find(({ type }) => type === 'subscribed')?.recovered;

  beforeEach(async () => {
    for (let id = 1; id <= TRADES; id++) trade(id);
    await settle();
  });

  it('of one range are encoded once for all who ask at the same time, wherever in it they stood', async () => {
    const clients = Array.from({ length: 8 }, () => connect());
    clients.forEach((client, i) => resume(client, i));
    await settle();
    trade(TRADES + 1);
    await settle();
    expect(replayed).toEqual(upTo(TRADES));
    clients.forEach((client, i) => {
      expect(isRecovered(client)).toBe(true);
      expect(trades(client)).toEqual(upTo(TRADES + 1, i + 1));
    });
  });

  it('of what was replayed shortly before are not encoded again: only what came since', async () => {
    const [first, second] = [connect(), connect('retail')];
    resume(first, 0);
    await settle();
    for (let id = TRADES + 1; id <= TRADES + 5; id++) trade(id);
    await settle();
    replayed.length = 0;
    resume(second, 2);
    await settle();
    expect(replayed).toEqual(upTo(TRADES + 5, TRADES + 1));
    expect(trades(second)).toEqual(upTo(TRADES + 5, 3));
    expect(trades(first)).toEqual(upTo(TRADES + 5));
  });

  it('go further back for who stood there, and another epoch is in nobody’s way', async () => {
    const clients = [connect(), connect(), connect()] as const;
    resume(clients[0], 1, 'other');
    resume(clients[1], TRADES / 2);
    resume(clients[2], 0);
    await settle();
    expect(clients.map(isRecovered)).toEqual([false, true, true]);
    expect([...clients].slice(1).map(trades)).toEqual([upTo(TRADES, TRADES / 2 + 1), upTo(TRADES)]);
    // Who comes last takes part in what goes back furthest.
    const late = connect();
    replayed.length = 0;
    resume(late, 10);
    await settle();
    expect([replayed, trades(late)]).toEqual([[], upTo(TRADES, 11)]);
  });

  it('are asked for again by each client where an encoder dies meanwhile, and nothing comes twice', async () => {
    const clients = Array.from({ length: 3 }, () => connect());
    for (const client of clients) resume(client, 0);
    gateway.deliverInterest();
    await vi.advanceTimersByTimeAsync(ROUND_MS);
    gateway.crash(0);
    await vi.advanceTimersByTimeAsync(1000);
    await settle();
    trade(TRADES + 1);
    await settle();
    for (const client of clients) expect(trades(client)).toEqual(upTo(TRADES + 1));
  });

  it('that a client leaves before their turn are not asked for', async () => {
    const blockers = Array.from({ length: 4 }, (_, i) => `S${i + 1}`);
    for (const symbol of blockers) for (let id = 0; id < 3; id++) trade(id, symbol);
    await settle();
    const since = { epoch: 'gw1', seq: 0 };
    for (const symbol of blockers) send(connect(), { action: 'subscribe', stream: 'trades', symbol, since });
    const leaver = connect();
    resume(leaver, 0);
    gateway.disconnect(leaver.socket);
    await settle();
    expect(replayed.filter(seq => seq > 3)).toEqual([]);
  });

  it('are sent a share of each turn, and what is live comes behind them without a hole', async () => {
    open({ deliveredBytesMax: 500, ringBytes: 1024 * 1024 });
    const missed = 1000;
    const live = 60;
    for (let id = 1; id <= missed; id++) trade(id);
    await settle();
    const client = connect();
    resume(client, 0);
    let most = 0;
    for (let rounds = 1; trades(client).length < missed + live; rounds++) {
      const before = trades(client).length;
      if (rounds <= live) trade(missed + rounds);
      await round();
      most = Math.max(most, trades(client).length - before);
      if (rounds > ROUNDS_MAX) throw new Error('it never ends');
    }
    // A piece of 16 KiB in each of the two turns of a round.
    expect(most).toBeLessThan(missed / 2);
    expect(isRecovered(client)).toBe(true);
    expect(trades(client)).toEqual(upTo(missed + live));
  });
});
