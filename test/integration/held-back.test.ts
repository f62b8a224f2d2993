/** PROTOCOL.md section 5.1: a message that is missing or refused is a loss, and everybody is told of it. */
import { describe, expect, it } from 'vitest';
import { LEVELS_MAX } from '../../src/protocol/content-limits.js';
import type { Frame, TestClient } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { liveGateway } from '../support/live-gateway.js';
import { until } from '../support/until.js';

const live = liveGateway({ SYMBOLS: 'S*', ENCODERS: '2', HEARTBEAT_INTERVAL: '100ms' });

let symbols = 0;
const newSymbol = (): string => `S${++symbols}`;
const FORMATS = ['json', 'msgpack'] as const;

const { open } = live;

const book = (symbol: string, members: object) => live.publisher.put(`md.books.${symbol}`, { symbol, ...members });
const quote = (symbol: string, members: object) => live.publisher.put(`md.quotes.${symbol}`, { symbol, ...members });
const whole = { bids: [['100', '1'], ['99', '1']], asks: [['101', '1'], ['102', '1']], snapshot: true }; // biome-ignore format: one line
const isSnapshot = (frame: Frame) => frame.type !== 'stale' && frame.snapshot === true;

/** All that the client holds: it throws where a frame breaks a chain or a checksum. */
const heldBy = (client: TestClient) => new Documents().follow(client);

describe.each(FORMATS)('in %s', format => {
  it('D1: a change of a book that is refused holds it back, until a whole book comes', async () => {
    const symbol = newSymbol();
    book(symbol, whole);
    await live.publisher.settled(live.gateway);
    const depth = await open(`/ws/markets/${symbol}`, { depth: '10', format });
    const best = await open(`/ws/markets/${symbol}`, { format });
    await depth.arrived('depth_patch');
    await best.arrived('orderbook_update');
    book(symbol, { bids: [['100', '0'], ['99', '0'], ['0.0000001', 'lots'], ['98', '3']] }); // biome-ignore format: one line
    book(symbol, { asks: [['99.5', '7']] });
    const stale = { type: 'stale', seq: 1, reason: 'refused', since: expect.stringMatching(/^20.*Z$/) };
    expect(await depth.arrived('stale')).toMatchObject([{ ...stale, topic: `depth:${symbol}` }]);
    expect(await best.arrived('stale')).toMatchObject([{ ...stale, topic: `orderbook:${symbol}` }]);
    await live.publisher.settled(live.gateway);
    expect(heldBy(depth).books.get(symbol)).toEqual({ bids: { 99: '1', 100: '1' }, asks: { 101: '1', 102: '1' } });
    // Whoever comes meanwhile gets the same, and is told the same.
    const late = await open(`/ws/markets/${symbol}`, { depth: '10', format });
    expect((await late.arrived('stale'))[0]).toEqual(depth.ofType('stale')[0]);
    expect(late.frames.map(({ type }) => type)).toEqual(['depth_patch', 'stale']);
    await until(() => depth.heartbeats.some(({ stale: isStale }) => isStale === true));
    book(symbol, { ...whole, asks: [['99.5', '7']], bids: [['98', '3']] });
    for (const client of [depth, late]) {
      await until(() => client.frames.filter(isSnapshot).length === 2);
      expect(heldBy(client).books.get(symbol)).toEqual({ bids: { 98: '3' }, asks: { '99.5': '7' } });
      expect(client.ofType('stale')).toHaveLength(1);
      const heartbeats = client.heartbeats.length;
      await until(() => client.heartbeats.length > heartbeats + 1);
      expect(client.heartbeats.at(-1)).not.toHaveProperty('stale');
    }
  });

  it('D1: what is accepted there is applied: deletes, tiny prices and all', async () => {
    const symbol = newSymbol();
    book(symbol, whole);
    await live.publisher.settled(live.gateway);
    const depth = await open(`/ws/markets/${symbol}`, { depth: '10', format });
    await depth.arrived('depth_patch');
    book(symbol, { bids: [['100', '0'], ['99', '0'], ['0.0000001', '1E-8'], ['98', '3']] }); // biome-ignore format: one line
    book(symbol, { asks: [['99.5', '7']] });
    await depth.arrived('depth_patch', 3);
    expect(heldBy(depth).books.get(symbol)).toEqual({
      bids: { 98: '3', '0.0000001': '0.00000001' },
      asks: { '99.5': '7', 101: '1', 102: '1' },
    });
  });

  it('D2: a change of a quote that is refused holds it back', async () => {
    const symbol = newSymbol();
    quote(symbol, { current_price: 10, bid: 9, ask: 11 });
    await live.publisher.settled(live.gateway);
    const client = await open('/ws/quotes', { symbols: symbol, format });
    await client.arrived('quotes_patch');
    quote(symbol, { current_price: 20, bid: 'none', partial: true });
    quote(symbol, { ask: 21, partial: true });
    expect(await client.arrived('stale')).toMatchObject([{ topic: `quotes:${symbol}`, seq: 1, reason: 'refused' }]);
    await live.publisher.settled(live.gateway);
    expect(heldBy(client).document.quotes[symbol]).toEqual({ symbol, current_price: 10, bid: 9, ask: 11 });
    quote(symbol, { current_price: 20, bid: null, ask: 21 });
    await client.arrived('quotes_patch', 2);
    expect(heldBy(client).document.quotes[symbol]).toEqual({ symbol, current_price: 20, bid: null, ask: 21 });
    expect(client.frames.at(-1)).toMatchObject({ snapshot: true });
  });

  it('D6: a hole in the numbers of a publisher is told, to newcomers too; so is the end of it', async () => {
    const symbol = newSymbol();
    const subject = `md.books.${symbol}`;
    const numbered = (seq: number, members: object) =>
      live.publisher.put(subject, { symbol, ...members }, 'json', { seq, epoch: 'e' });
    numbered(1, whole);
    await live.publisher.settled(live.gateway);
    const client = await open(`/ws/markets/${symbol}`, { depth: '10', format, class: '100ms' });
    await client.arrived('depth_patch');
    for (let seq = 3; seq <= 20; seq++) numbered(seq, { bids: [['100', String(seq)]] });
    expect(await client.arrived('stale')).toMatchObject([
      { topic: `depth:${symbol}`, seq: 1, reason: 'publisher_gap' },
    ]);
    const late = await open(`/ws/markets/${symbol}`, { depth: '10', format });
    await late.arrived('stale');
    expect(heldBy(late).books.get(symbol)?.bids).toEqual({ 99: '1', 100: '1' });
    expect(await live.gateway.metric('millrace_topics_stale{reason="publisher_gap"}')).toBe(1);
    numbered(21, { ...whole, bids: [['90', '1']] });
    for (const one of [client, late]) {
      await until(() => one.frames.filter(isSnapshot).length === 2);
      expect(heldBy(one).books.get(symbol)?.bids).toEqual({ 90: '1' });
    }
    await until(async () => (await live.gateway.metric('millrace_topics_stale{reason="publisher_gap"}')) === 0);
    expect(live.gateway.log()).toContain('topic held back');
  });

  it('D6: changes that no whole book precedes are told, though there is no document', async () => {
    const symbol = newSymbol();
    const client = await open(`/ws/markets/${symbol}`, { depth: '10', format });
    const quotes = await open('/ws/quotes', { symbols: symbol, format });
    book(symbol, { bids: [['1', '1']] });
    quote(symbol, { bid: 1, partial: true });
    expect(await client.arrived('stale')).toMatchObject([{ topic: `depth:${symbol}`, reason: 'no_snapshot' }]);
    expect(await quotes.arrived('stale')).toMatchObject([{ topic: `quotes:${symbol}`, reason: 'no_snapshot' }]);
    const late = await open(`/ws/markets/${symbol}`, { format });
    expect(await late.arrived('stale')).toMatchObject([{ topic: `orderbook:${symbol}`, reason: 'no_snapshot' }]);
    book(symbol, whole);
    await until(() => client.frames.filter(isSnapshot).length === 1);
  });

  it('D7: a publisher that restarts with Seq 1 under its epoch begins a new epoch', async () => {
    const symbol = newSymbol();
    const numbered = (seq: number, price: number, partial = false) => {
      const headers = { seq, epoch: 'e' };
      live.publisher.put(`md.quotes.${symbol}`, { symbol, current_price: price, partial }, 'json', headers);
    };
    for (let seq = 1; seq <= 50; seq++) numbered(seq, seq);
    await live.publisher.settled(live.gateway);
    const client = await open('/ws/quotes', { symbols: symbol, format });
    await client.arrived('quotes_patch');
    for (let seq = 1; seq <= 5; seq++) numbered(seq, 1000 + seq);
    await until(() => heldBy(client).document.quotes[symbol]?.current_price === 1005);
    const [first, second] = client.ofType('quotes_patch');
    expect(second).toMatchObject({ snapshot: true, seqs: { [symbol]: 1 } });
    expect(second?.epoch).not.toBe(first?.epoch);
    // Once more, with a change as its first message: it waits for a whole one, and says so.
    numbered(1, 1, true);
    expect(await client.arrived('stale')).toMatchObject([{ reason: 'no_snapshot', seq: 5, epoch: second?.epoch }]);
    numbered(2, 7);
    await until(() => heldBy(client).document.quotes[symbol]?.current_price === 7);
    expect(client.ofType('quotes_patch').at(-1)).toMatchObject({ snapshot: true, seqs: { [symbol]: 2 } });
  });

  it('D8: events that are refused are a gap, live, later and when they are resumed', async () => {
    const symbol = newSymbol();
    const numbered = (seq: number, price: string) => {
      const trade = { symbol, trade_id: seq, price, quantity: '1' };
      live.publisher.put(`md.trades.${symbol}`, trade, 'json', { seq, epoch: 'e' });
    };
    numbered(1, '1');
    await live.publisher.settled(live.gateway);
    const client = await open('/ws/trades', { symbols: symbol, format });
    const all = await open('/ws/trades', { format });
    for (let seq = 2; seq <= 7; seq++) numbered(seq, seq > 2 && seq < 7 ? '0x10' : '1');
    const seen = (one: TestClient) =>
      one.frames.map(({ type, prev_seq, seq, from, to, reason }) =>
        type === 'gap' ? `${from}–${to} ${reason}` : `${prev_seq}→${seq}`,
      );
    for (const one of [client, all]) {
      await one.arrived('trade_executed', 2);
      expect(seen(one)).toEqual(['1→2', '3–6 refused', '6→7']);
    }
    const back = await open('/ws', { format });
    const command = { action: 'subscribe', stream: 'trades', symbol, id: 'r', since: { epoch: 'e', seq: 1 } };
    back.send(command);
    await back.arrived('trade_executed', 2);
    expect(back.frames[0]).toMatchObject({ type: 'subscribed', recovered: true });
    expect(seen(back).slice(1)).toEqual(['1→2', '3–6 refused', '6→7']);
    // Nothing need follow.
    numbered(8, '-');
    await until(() => client.ofType('gap').length === 2);
    expect(client.ofType('gap')[1]).toMatchObject({ from: 8, to: 8, reason: 'refused', epoch: 'e' });
  });
});

it('D9: a book of 7000 levels keeps them all; one that grows beyond the limit is held back', async () => {
  const symbol = newSymbol();
  const level = (i: number) => [String(10_000_000 - i), '1'];
  const bids = Array.from({ length: 7000 }, (_, i) => level(i));
  book(symbol, { bids, asks: [], snapshot: true });
  await live.publisher.settled(live.gateway);
  const client = await open(`/ws/markets/${symbol}`, { depth: '100' });
  await client.arrived('depth_patch');
  book(symbol, { bids: bids.slice(0, 4999).map(([price]) => [price, '0']) });
  await client.arrived('depth_patch', 2);
  const held = Object.keys(heldBy(client).books.get(symbol)?.bids ?? {});
  expect(held).toHaveLength(100);
  expect(Math.max(...held.map(Number))).toBe(10_000_000 - 4999);
  const more = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => level(from + i));
  for (let from = 7000; from < LEVELS_MAX + 5000; from += 6000) book(symbol, { bids: more(from, from + 6000) });
  expect(await client.arrived('stale')).toMatchObject([{ topic: `depth:${symbol}`, reason: 'too_large' }]);
  // Clients are told before the hub learns of it.
  await until(async () => (await live.gateway.metric('millrace_feed_rejected_total{reason="too_large"}')) > 0);
  const before = client.frames.filter(isSnapshot).length;
  book(symbol, whole);
  await until(() => client.frames.filter(isSnapshot).length > before);
});

it('D15: a snapshot of 5000 levels and 320 kB is taken', async () => {
  const symbol = newSymbol();
  const bids = Array.from({ length: 5000 }, (_, i) => [(10_000 - i / 100).toFixed(18), `1.${'0'.repeat(33)}`]);
  expect(JSON.stringify(bids).length).toBeGreaterThan(320_000);
  book(symbol, { bids, asks: [], snapshot: true });
  book(symbol, { bids: [[bids[0]?.[0], '2']] });
  const client = await open(`/ws/markets/${symbol}`, { depth: '10' });
  await until(() => heldBy(client).books.get(symbol)?.bids[String(bids[0]?.[0])] === '2');
});
