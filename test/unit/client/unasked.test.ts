/** J12: a server names topics that no stream follows. Nothing is kept of them, and the application is told once. */
import { describe, expect, it } from 'vitest';
import { EVENT_CHAINS_MAX, TopicChains } from '../../../src/client/chain.js';
import type { MillraceError } from '../../../src/client/index.js';
import { answering, bestLevel, connected, newClient, subscribed } from '../../support/client-harness.js';
import type { Command, FakeSocket } from '../../support/fake-socket.js';
import { alert, order, quotesDelta, quotesSnapshot, roomMessage, trade } from '../../support/market-frames.js';

const position = { epoch: 'e1', seq: 1 };
const book = (symbol: string) => ({
  type: 'depth_patch',
  snapshot: true,
  symbol,
  ...position,
  operations: [
    { op: 'add', path: '/bids', value: {} },
    { op: 'add', path: '/asks', value: {} },
  ],
});

/** Frames of every kind about a name. */
const framesOf = (name: string): [topic: string, frame: object][] => [
  [`quotes:${name}`, quotesDelta(name, 0, 1)],
  [`quotes:${name}`, quotesSnapshot({ [name]: 1 })],
  [`depth:${name}`, book(name)],
  [`orderbook:${name}`, bestLevel(0, 1, { symbol: name, snapshot: true })],
  [`trades:${name}`, trade(name, 0)],
  [`orders:${name}`, order(name, 0)],
  [`rooms:${name}`, roomMessage(name, 0)],
  [`analytics:${name}`, alert(0, name)],
  [`trades:${name}`, { type: 'gap', topic: `trades:${name}`, from: 1, to: 2, reason: 'overload', epoch: 'e1' }],
  [`quotes:${name}`, { type: 'gap', topic: `quotes:${name}`, from: 1, to: 2, reason: 'overload', epoch: 'e1' }],
  [`depth:${name}`, { type: 'stale', topic: `depth:${name}`, ...position, reason: 'refused' }],
  [`depth:${name}`, { type: 'heartbeat', topic: `depth:${name}`, ...position, stale: true }],
  [`rooms:${name}`, { type: 'subscribed', topics: [`rooms:${name}`], positions: { [`rooms:${name}`]: position } }],
];

describe('J12: the chains', () => {
  it.each(framesOf('EVIL'))('J12: keep nothing of %s', (topic, frame) => {
    const keeping = new TopicChains();
    const chains = new TopicChains(named => !named.endsWith(':EVIL'));
    for (const each of [keeping, chains]) each.feed(frame as never);
    // The frame would have left something.
    const { type } = frame as { type: string };
    if (type !== 'quotes_patch' && type !== 'gap' && type !== 'heartbeat') {
      expect(keeping.position(topic) ?? keeping.staleness(topic)).toBeDefined();
    }
    expect([chains.position(topic), chains.staleness(topic), chains.documentOf(topic)]).toEqual(
      Array(3).fill(undefined),
    );
    // Not even that it is broken: what follows would be ignored then.
    let isFollowed = false;
    const late = new TopicChains(named => isFollowed || !named.endsWith(':EVIL'));
    late.feed(frame as never);
    isFollowed = true;
    expect(late.feed(quotesDelta('EVIL', 0, 1)).kind).toBe('broken');
  });

  it('J12: take their own part of a snapshot, and leave the rest', () => {
    const chains = new TopicChains(topic => topic === 'quotes:A/B');
    const outcome = chains.feed(quotesSnapshot({ 'X/Y': 7, 'A/B': 4, Z: 1 }));
    expect(outcome).toEqual({ kind: 'snapshot', topics: ['quotes:A/B'] });
    expect(Object.keys(chains.documents.quotes.quotes)).toEqual(['A/B']);
    expect(chains.position('quotes:A/B')).toEqual({ epoch: 'e1', seq: 4 });
  });

  it('J12: hold the places of a bounded number of event topics; state topics have theirs all the same', () => {
    const chains = new TopicChains();
    for (let n = 0; n <= EVENT_CHAINS_MAX; n++) chains.feed(trade(`s${n}`, 0));
    expect(chains.position(`trades:s${EVENT_CHAINS_MAX - 1}`)).toBeDefined();
    expect(chains.position(`trades:s${EVENT_CHAINS_MAX}`)).toBeUndefined();
    expect(chains.feed(trade(`s${EVENT_CHAINS_MAX}`, 4)).kind).toBe('event');
    expect(chains.feed(trade('s0', 4)).kind).toBe('broken');
    chains.feed(quotesSnapshot({ A: 1 }));
    expect(chains.position('quotes:A')).toBeDefined();
  });
});

async function listening() {
  const harness = await connected();
  const faults: MillraceError[] = [];
  harness.client.on('error', error => faults.push(error));
  return { ...harness, faults };
}

describe('J12: the client', () => {
  it('J12: is told once for each connection, however much the server makes up', async () => {
    const { client, network, clock, socket, faults } = await listening();
    await client.quotes(['A']).ready;
    socket.frames(...framesOf('EVIL').map(([, frame]) => frame));
    expect(faults).toMatchObject([{ code: 'malformed_frame', message: expect.stringContaining('quotes:EVIL') }]);
    socket.end(1006);
    clock.advanceMs(10_000);
    const next = await network.accepted(2);
    next.frames(trade('x'.repeat(10_000), 0), trade('EVIL', 1));
    expect(faults.filter(({ code }) => code === 'malformed_frame')).toHaveLength(2);
    expect(faults.at(-1)?.message.length).toBeLessThan(200);
  });

  it('J12: takes frames of a topic that it is leaving as no fault, until the gateway has answered', async () => {
    const { client, network, socket, faults } = await listening();
    const stream = client.quotes(['A']);
    await stream.ready;
    socket.frames(quotesSnapshot({ A: 1 }));
    let answer = () => {};
    network.onCommand = (command: Command, to: FakeSocket) => {
      if (command.action === 'unsubscribe') {
        answer = () => to.frames({ type: 'unsubscribed', id: command.id, topics: ['quotes:A'] });
      }
    };
    stream.close();
    socket.frames(quotesDelta('A', 1, 2), { type: 'heartbeat', topic: 'quotes:A', ...position });
    expect(faults).toEqual([]);
    answer();
    socket.frames(quotesDelta('A', 2, 3));
    expect(faults).toMatchObject([{ code: 'malformed_frame' }]);
  });

  it('J12: takes any symbol where it follows all trades, and orders of the user that the gateway names', async () => {
    const { client, socket, faults } = await listening();
    const seen: string[] = [];
    const trades = client.trades();
    const orders = client.orders();
    trades.on('event', ({ topic }) => seen.push(topic));
    orders.on('event', ({ topic }) => seen.push(topic));
    await Promise.all([trades.ready, orders.ready]);
    socket.frames(trade('A', 0), trade('B', 0), order('alice', 0));
    expect(seen).toEqual(['trades:A', 'trades:B', 'orders:alice']);
    expect(faults).toEqual([]);
  });

  it('J12: does not take the frames of another stream as orders, whatever the server calls these', async () => {
    const harness = newClient();
    harness.network.onCommand = answering(({ action, id }) =>
      action !== 'subscribe' ? [] : [subscribed(id, ['quotes:A'])],
    );
    const socket = await harness.network.accepted(1);
    const quotes = harness.client.quotes(['A']);
    const seen: unknown[] = [];
    harness.client.orders().on('event', event => seen.push(event));
    await quotes.ready;
    socket.frames(quotesSnapshot({ A: 1 }));
    expect(quotes.get('A')).toBeDefined();
    expect(seen).toEqual([]);
  });
});
