/** What a running gateway tells Prometheus: the text itself, what is there from the start, and what clients cause. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { METRICS } from '../../src/observe/metrics/table.js';
import type { Tier } from '../../src/protocol/view-options.js';
import { refusedUpgrade, type TestClient } from '../support/client.js';
import { testToken } from '../support/gateway.js';
import { liveGateway } from '../support/live-gateway.js';
import { until } from '../support/until.js';

/** Stands for chrony: a clock that is 250 µs behind. */
const TRACKING =
  'C0A80001,192.168.0.1,3,1796015043.16,0.000250000,0.00001,0.00003,-10.1,0.001,0.01,0.004,0.0005,64.2,Normal';
const folder = mkdtempSync(join(tmpdir(), 'millrace-chrony-'));
writeFileSync(join(folder, 'chronyc'), `#!/bin/sh\n[ "$*" = "-c tracking" ] && echo '${TRACKING}'\n`, { mode: 0o755 });
afterAll(() => rmSync(folder, { recursive: true }));

const live = liveGateway({
  WORKERS: '2',
  ENCODERS: '1',
  SYMBOLS: 'M*',
  PATH: `${folder}:${process.env.PATH ?? ''}`,
});

const hasPromtool = spawnSync('promtool', ['--version'], { stdio: 'ignore' }).status === 0;
const metric = (sample: string): Promise<number> => live.gateway.metric(sample);
const becomes = (sample: string, value: number) =>
  until(async () => (await metric(sample)) === value, undefined, `${sample} is ${value}`);

/** A client with a credential of this user. */
async function open(sub: string, path: string, query: Record<string, string> = {}, tier: Tier = 'institutional') {
  return live.open(path, { ...query, token: await testToken({ sub, tier }) });
}

/** Objections of promtool to the text of `/metrics`. */
async function objections(): Promise<string> {
  const input = await live.gateway.metrics();
  const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  return status === 0 ? '' : `promtool exits with ${status}: ${stdout}${stderr}`;
}

const why = hasPromtool ? '' : ' (skipped: promtool is not installed: apt-get install prometheus)';

it('R60 every series of the table exists from the start, with 0 for what has not happened', async () => {
  const text = await live.gateway.metrics();
  for (const { name, absent, type } of METRICS) {
    if (absent !== undefined) continue;
    const series = text.split('\n').filter(line => new RegExp(`^${name}(_bucket|_sum|_count)?[ {]`).test(line));
    expect(series.length, name).toBeGreaterThan(0);
    const isQuiet = type === 'counter' && /connections|closes|sent|frames_total|resyncs|refused/.test(name);
    if (isQuiet) expect(series.filter(line => !line.endsWith(' 0') && !name.includes('encoder'))).toEqual([]);
  }
  expect(text).toContain('millrace_thread_busy_seconds_total{thread="gateway-1"}');
  expect(text).toContain('millrace_feed_last_message_timestamp_seconds{kind="rooms"} 0\n');
});

it.skipIf(!hasPromtool)(`R60 promtool has no objection before anything has happened${why}`, async () => {
  expect(await objections()).toBe('');
});

it('R60 connections are told apart by tier and format, users are counted once, and subscriptions by stream', async () => {
  live.publisher.put('md.quotes.M1', { symbol: 'M1', current_price: 1 });
  await live.publisher.settled(live.gateway);
  const clients: TestClient[] = [];
  for (const format of ['json', 'msgpack', 'json']) {
    clients.push(await open('una', '/ws/quotes', { symbols: 'M1', format }));
  }
  clients.push(await open('due', '/ws/quotes', { symbols: 'M1' }, 'retail'));
  for (const client of clients) await client.arrived('quotes_patch');
  expect(await metric('millrace_connections_open{tier="institutional",format="json"}')).toBe(2);
  expect(await metric('millrace_connections_open{tier="institutional",format="msgpack"}')).toBe(1);
  expect(await metric('millrace_connections_open{tier="retail"}')).toBe(1);
  expect(await metric('millrace_connections_active')).toBe(4);
  expect(await metric('millrace_users')).toBe(2);
  expect(await metric('millrace_subscriptions{stream="quotes"}')).toBe(4);
  clients[0]?.send({ action: 'unsubscribe', stream: 'quotes', symbols: ['M1'] });
  await clients[0]?.arrived('unsubscribed');
  expect(await metric('millrace_subscriptions')).toBe(3);
  for (const client of clients) await client.close();
  await becomes('millrace_connections_open', 0);
  await becomes('millrace_users', 0);
  expect(await metric('millrace_subscriptions')).toBe(0);
  expect(await metric('millrace_closes_total{side="client"}')).toBe(4);
});

it('R60 errors, refusals, closes and resyncs are counted by code', async () => {
  const client = await open('tre', '/ws/quotes', { symbols: 'M1' });
  await client.arrived('quotes_patch');
  client.send({ action: 'resync', stream: 'quotes', symbols: ['M1'] });
  await client.arrived('quotes_patch', 2);
  client.send({ action: 'dance' });
  client.send({ action: 'resync', stream: 'quotes', symbols: ['M2'] });
  await client.arrived('error', 2);
  expect(await metric('millrace_resyncs_total')).toBe(2);
  expect(await metric('millrace_error_frames_total{code="unknown_action"}')).toBe(1);
  expect(await metric('millrace_error_frames_total{code="not_subscribed"}')).toBe(1);
  expect(await metric('millrace_error_frames_total')).toBe(2);
  client.socket.terminate();
  await becomes('millrace_closes_total{side="client",code="1006"}', 1);
  await refusedUpgrade(`${live.gateway.url}/ws/quotes?symbols=M1&token=no`);
  await refusedUpgrade(`${live.gateway.url}/ws/nothing`);
  expect(await metric('millrace_connections_refused_total{status="401",code="unauthorized"}')).toBe(1);
  expect(await metric('millrace_connections_refused_total{status="404",code="not_found"}')).toBe(1);
  expect(await metric('millrace_connections_failed_total{how="refused"}')).toBe(2);
  expect(await metric('millrace_connections_failed_total{how="broken"}')).toBe(1);
  const own = await open('tre', '/ws/quotes', { symbols: 'M1' });
  own.socket.close(4999);
  await becomes('millrace_closes_total{side="client",code="other"}', 1);
});

it('R60 gaps and stale topics are counted by reason, once for each client that is told', async () => {
  const trade = (id: number, seq: number) =>
    live.publisher.put('md.trades.M3', { symbol: 'M3', trade_id: id, price: '1', quantity: '1' }, 'json', {
      seq,
      epoch: 'e',
    });
  trade(1, 1);
  live.publisher.put('md.books.M3', { symbol: 'M3', bids: [['1', '1']], asks: [['2', '1']], snapshot: true });
  await live.publisher.settled(live.gateway);
  const clients: TestClient[] = [];
  for (const sub of ['uno', 'duo']) {
    const client = await open(sub, '/ws/markets/M3');
    client.send({ action: 'subscribe', stream: 'trades', symbols: ['M3'] });
    await client.arrived('subscribed');
    await client.arrived('orderbook_update');
    clients.push(client);
  }
  trade(4, 4);
  live.publisher.put('md.books.M3', { symbol: 'M3', bids: [['1', 'lots']] });
  for (const client of clients) {
    await client.arrived('gap');
    await client.arrived('stale');
  }
  expect(await metric('millrace_gap_frames_total{reason="publisher"}')).toBe(2);
  expect(await metric('millrace_gap_frames_total')).toBe(2);
  expect(await metric('millrace_stale_frames_total{reason="refused"}')).toBe(2);
  expect(await metric('millrace_topics_stale{reason="refused"}')).toBe(1);
  for (const client of clients) await client.close();
});

it('R60 the way from the publisher is measured where the event time can be right', async () => {
  const client = await open('cinque', '/ws/quotes', { symbols: 'M5' });
  const nowMicros = Date.now() * 1_000;
  const counted = () => metric('millrace_publisher_to_send_seconds_count');
  const before = await counted();
  for (const [price, tsEvent] of [
    [1],
    [2, nowMicros - 200_000],
    [3, nowMicros + 60_000_000],
    [4, 1_000_000],
  ] as const) {
    live.publisher.put('md.quotes.M5', { symbol: 'M5', current_price: price }, 'json', {
      ...(tsEvent !== undefined && { tsEvent }),
    });
    await client.arrived('quotes_patch', price);
  }
  expect((await counted()) - before).toBe(1);
  expect(await metric('millrace_publisher_times_implausible_total')).toBe(2);
  const lastSeconds = await metric('millrace_feed_last_message_timestamp_seconds{kind="quotes"}');
  expect(Math.abs(lastSeconds - Date.now() / 1_000)).toBeLessThan(60);
  await client.close();
});

it('R60 the clock of the machine is as far off as chrony tells', async () => {
  await becomes('millrace_clock_known', 1);
  expect(await metric('millrace_clock_offset_seconds')).toBe(-0.00025);
  expect(await metric('millrace_clock_error_seconds')).toBeCloseTo(0.00275, 9);
});

it('R60 a drained gateway says that it is not ready, and why', async () => {
  expect(await metric('millrace_ready')).toBe(1);
  live.publisher.nats.publish('control.drain', '{"node":"millrace"}');
  await becomes('millrace_ready', 0);
  expect(await metric('millrace_not_ready{reason="draining"}')).toBe(1);
  expect(await metric('millrace_not_ready')).toBe(1);
});

it.skipIf(!hasPromtool)(`R60 promtool has no objection after all that${why}`, async () => {
  expect(await objections()).toBe('');
});
