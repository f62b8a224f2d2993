/** Changes of class over the real hub, encoder, ring and gateway modules: never backwards, and nobody else is sent more. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { FakeSocket } from '../../support/fake-uws.js';
import { OneThreadGateway } from '../../support/one-thread.js';
import { OneThreadFeed } from '../../support/one-thread-feed.js';

type Frame = Record<string, unknown>;
interface Client {
  readonly socket: FakeSocket;
  readonly frames: Frame[];
}

const ROUNDS = 6;

let feed: OneThreadFeed;
let gateway: OneThreadGateway;
let refuses: boolean;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  feed = new OneThreadFeed(false);
  refuses = false;
  gateway = new OneThreadGateway({
    encoders: 1,
    symbols: ['A', 'B'],
    feed,
    historyBytes: 1024,
    backpressureBytes: 65_536,
    isRefused: () => refuses,
  });
});

afterEach(async () => {
  expect(gateway.faults).toEqual([]);
  await gateway.hub.close();
  vi.useRealTimers();
});

function connect(sub: string): Client {
  const frames: Frame[] = [];
  const socket = gateway.connect({ sub, format: 'json', tier: 'institutional' }, bytes => {
    frames.push(JSON.parse(Buffer.from(bytes).toString()));
  });
  return { socket, frames };
}

const subscribe = ({ socket }: Client, stream: string, more: object) =>
  gateway.command(socket, { action: 'subscribe', stream, symbol: 'A', ...more });
const quote = (price: number) => feed.put('md.quotes.A', { symbol: 'A', current_price: price });

async function settle(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    gateway.deliverInterest();
    await vi.advanceTimersByTimeAsync(1);
    gateway.encode(0);
    await vi.advanceTimersByTimeAsync(1);
    for (let half = 0; half < 2; half++) gateway.turn();
    gateway.flush();
  }
}

/** Until the next interval of the slowest class is over. */
async function interval(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1000);
  await settle();
}

/** Alice follows the quote in real time, Carol once a second. */
async function following(): Promise<{ readonly alice: Client; readonly carol: Client }> {
  const [alice, carol] = [connect('alice'), connect('carol')];
  quote(1);
  await settle();
  subscribe(alice, 'quotes', { class: 'realtime' });
  subscribe(carol, 'quotes', { class: '1000ms' });
  await settle();
  return { alice, carol };
}

const updates = ({ frames }: Client) => frames.filter(({ type }) => type === 'quotes_patch');
const seqs = (client: Client) => updates(client).map(({ seq, seqs: of }) => seq ?? (of as { A?: number }).A);

it('K8: who changes class while a topic is held back is answered, and gets the other symbols of the command', async () => {
  const [alice, bob] = [connect('alice'), connect('bob')];
  const symbols = { symbol: undefined, symbols: ['A', 'B'] };
  quote(1);
  feed.put('md.quotes.B', { symbol: 'B', current_price: 1 });
  await settle();
  subscribe(bob, 'quotes', { ...symbols, class: '1000ms' });
  await settle();
  // The same again: Bob's class has nothing to send.
  quote(1);
  await settle();
  subscribe(alice, 'quotes', { ...symbols, class: 'realtime' });
  await settle();
  refuses = true;
  feed.put('md.quotes.A', { symbol: 'A', current_price: 'no number' });
  await settle();
  const before = alice.frames.length;
  subscribe(alice, 'quotes', { ...symbols, class: '1000ms' });
  await settle();
  expect(alice.frames.slice(before)).toMatchObject([
    { type: 'subscribed' },
    { type: 'quotes_patch', snapshot: true, seqs: { A: 2, B: 1 } },
    { type: 'stale', topic: 'quotes:A', seq: 2, reason: 'refused' },
  ]);
  feed.put('md.quotes.B', { symbol: 'B', current_price: 2 });
  await interval();
  expect(alice.frames.at(-1)).toMatchObject({ type: 'quotes_patch', symbol: 'B', prev_seq: 1, seq: 2 });
});

it('K8: who changes to a slow class that is behind gets its next state, and its other subscribers get nothing more for it', async () => {
  const { alice, carol } = await following();
  for (let price = 2; price <= 10; price++) {
    quote(price);
    await settle();
  }
  const before = updates(carol).length;
  subscribe(alice, 'quotes', { class: '1000ms' });
  await settle();
  expect(seqs(alice).at(-1)).toBe(10);
  expect(updates(carol)).toHaveLength(before);
  quote(11);
  await interval();
  expect(seqs(alice)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  expect(updates(alice).at(-1)).toMatchObject({ snapshot: true });
  expect(updates(carol)).toHaveLength(before + 1);
});

it('K8: it gets its snapshot also where the document changed back, so that the class has nothing to send', async () => {
  const { alice, carol } = await following();
  for (const price of [2, 1]) {
    quote(price);
    await settle();
  }
  subscribe(alice, 'quotes', { class: '1000ms' });
  await interval();
  await interval();
  expect(seqs(alice)).toEqual([1, 2, 3, 3]);
  // And once the class has nothing under way any more.
  subscribe(alice, 'quotes', { class: 'realtime' });
  await settle();
  for (const price of [2, 1]) {
    quote(price);
    await settle();
  }
  await interval();
  subscribe(alice, 'quotes', { class: '1000ms' });
  await settle();
  expect(seqs(alice)).toEqual([1, 2, 3, 3, 3, 4, 5, 5]);
  quote(7);
  await settle();
  await interval();
  expect(seqs(alice).at(-1)).toBe(6);
  expect(seqs(carol).at(-1)).toBe(6);
});

it('K8: who left a topic and comes back in a slower class is not sent what is older than he had', async () => {
  const { alice } = await following();
  quote(2);
  await settle();
  gateway.command(alice.socket, { action: 'unsubscribe', stream: 'quotes', symbol: 'A' });
  subscribe(alice, 'quotes', { class: '1000ms' });
  await settle();
  await interval();
  expect(seqs(alice)).toEqual([1, 2, 2]);
});

it('K8: a depth that was sent less far than another one is brought there', async () => {
  const [alice, carol] = [connect('alice'), connect('carol')];
  const levels = Array.from({ length: 12 }, (_, i) => [String(100 - i), '1']);
  const book = (snapshot: boolean, bids: unknown[]) =>
    feed.put('md.books.A', { symbol: 'A', bids, asks: [], ...(snapshot && { snapshot }) });
  book(true, levels);
  await settle();
  subscribe(alice, 'depth', { depth: 25 });
  subscribe(carol, 'depth', { depth: 10 });
  await settle();
  // The twelfth level: nothing for ten.
  book(false, [['89', '5']]);
  await settle();
  subscribe(alice, 'depth', { depth: 10 });
  await settle();
  const depths = alice.frames.filter(({ type }) => type === 'depth_patch');
  expect(depths.map(({ seq }) => seq)).toEqual([1, 2, 2]);
  book(false, [['100', '7']]);
  await settle();
  for (const { frames } of [alice, carol])
    expect(frames.at(-1)).toMatchObject({ type: 'depth_patch', prev_seq: 2, seq: 3 });
});
