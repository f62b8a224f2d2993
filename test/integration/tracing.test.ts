/** R63: a publisher's `traceparent` becomes spans of the hub, the encoders and the gateway threads, at a real collector. */
import { randomBytes } from 'node:crypto';
import { connect, headers, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { type CollectedSpan, TraceCollector } from '../support/trace-collector.js';
import { until } from '../support/until.js';

const PARENT_ID = 'b7ad6b7169203331';
/** Longer than a trace waits for its reports, and a batch of spans for more. */
const EXPORT_MS = 20_000;

let nats: NatsServer;
let connection: NatsConnection;
let collector: TraceCollector;
let gateway: TestGateway;
let token: string;

beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true });
  connection = await connect({ servers: nats.url });
  collector = await TraceCollector.open();
  token = await testToken({ entitlements: ['quotes:*', 'trades:*', 'orders:*', 'analytics:*'] });
  gateway = await startGateway({
    NATS_URL: nats.url,
    WORKERS: '2',
    ENCODERS: '1',
    NODE_NAME: 'gw-7',
    OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/otlp/`,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=secret%20key',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    TRACES_PER_SECOND: '100',
  });
});
afterAll(async () => {
  await gateway?.stop();
  await connection?.close();
  await collector?.close();
  await nats?.stop();
});

/** Publishes one message of a trace. @returns the trace's id */
function publish(subject: string, value: object, traceId = randomBytes(16).toString('hex'), flags = '01'): string {
  const given = headers();
  given.set('traceparent', `00-${traceId}-${PARENT_ID}-${flags}`);
  connection.publish(subject, JSON.stringify(value), { headers: given });
  return traceId;
}

const quote = (price: string) => ({ symbol: 'AAPL', current_price: price });

/** A connected client that has the topic's state. */
async function client(path: string, format = 'json'): Promise<TestClient> {
  const joint = path.includes('?') ? '&' : '?';
  return TestClient.connect(`${gateway.url}${path}${joint}format=${format}&token=${token}`);
}

/** The spans of a trace with this name, once there are that many. */
async function spans(traceId: string, name: string, count = 1): Promise<CollectedSpan[]> {
  await until(() => collector.of(traceId, name).length >= count, EXPORT_MS, `${count} ${name} spans`);
  return collector.of(traceId, name);
}

describe('R63 a traced message', () => {
  it('R63 has a hub span, an encode span per view, and a publish span per view and thread', async () => {
    publish('md.quotes.AAPL', quote('100.00'), undefined, '00');
    const clients = [
      await client('/ws/quotes?symbols=AAPL'),
      await client('/ws/quotes?symbols=AAPL'),
      await client('/ws/quotes?symbols=AAPL', 'msgpack'),
    ];
    for (const each of clients) await each.arrived('quotes_patch');
    const traceId = publish('md.quotes.AAPL', quote('101.00'));
    for (const each of clients) await each.arrived('quotes_patch', 2);
    const [hub] = await spans(traceId, 'hub');
    const encodes = await spans(traceId, 'encode', 2);
    const published = () => collector.of(traceId, 'publish');
    const reached = () => published().reduce((sum, span) => sum + Number(span.attributes['millrace.subscribers']), 0);
    await until(() => reached() === clients.length, EXPORT_MS, 'publish spans for all clients');
    expect(hub).toMatchObject({
      parentSpanId: PARENT_ID,
      attributes: { 'messaging.system': 'nats', 'messaging.destination.name': 'md.quotes.AAPL', 'millrace.seq': 2 },
      resource: {
        'service.name': 'millrace',
        'service.instance.id': 'gw-7',
        'deployment.environment.name': 'test',
      },
      problem: undefined,
    });
    expect(encodes.map(span => span.attributes['millrace.format']).sort()).toEqual(['json', 'msgpack']);
    for (const span of encodes) {
      expect(span.parentSpanId).toBe(hub?.spanId);
      expect(span.attributes).toMatchObject({ 'millrace.topic': 'quotes:AAPL', 'millrace.class': 'realtime' });
    }
    const parents = new Set(encodes.map(({ spanId }) => spanId));
    for (const span of published()) {
      expect(parents).toContain(span.parentSpanId);
      expect(span.startMicros).toBeGreaterThanOrEqual(hub?.startMicros ?? Number.POSITIVE_INFINITY);
      expect(span.endMicros).toBeGreaterThanOrEqual(span.startMicros);
    }
    // One per view and thread, however the sockets spread over the threads.
    const places = published().map(
      span => `${span.attributes['millrace.format']} ${span.attributes['millrace.worker']}`,
    );
    expect(new Set(places).size).toBe(places.length);
    expect(collector.requests[0]).toMatchObject({ path: '/otlp/v1/traces', headers: { 'x-api-key': 'secret key' } });
    for (const each of clients) each.socket.terminate();
  });

  it('R63 that is conflated with another is linked with the frame that carries both', async () => {
    const slow = await client('/ws/quotes?symbols=AAPL&class=1000ms');
    await slow.arrived('quotes_patch');
    const first = publish('md.quotes.AAPL', quote('102.00'));
    const second = publish('md.quotes.AAPL', quote('103.00'));
    const [encode] = await spans(second, 'encode');
    const [hub] = await spans(first, 'hub');
    expect(encode?.attributes['millrace.class']).toBe('1000ms');
    expect(encode?.links).toEqual([hub?.spanId]);
    expect(hub?.links).toEqual([encode?.spanId]);
    expect(collector.of(first, 'encode')).toEqual([]);
    slow.socket.terminate();
  });

  it('R63 in an array is linked with the others in it; no span names a user', async () => {
    const channel = await client('/ws/analytics?channels=alerts');
    const orders = await client('/ws/orders');
    const ids = [1, 2, 3].map(n => publish('analytics.alerts', { type: 'alert', data: n }));
    const order = { action: 'created', order_id: '1', symbol: 'AAPL', side: 'buy', status: 'open' };
    const ofUser = publish('orders.alice', { ...order, quantity: '1', filled_quantity: '0' });
    const hubs = await Promise.all(ids.map(async id => (await spans(id, 'hub'))[0]?.spanId));
    const [encode] = await spans(ids[2] ?? '', 'encode');
    expect(encode?.links).toEqual(hubs.slice(0, 2));
    expect((await spans(ofUser, 'publish'))[0]?.attributes['millrace.topic']).toBe('orders');
    expect(JSON.stringify(collector.of(ofUser, 'hub'))).not.toContain('alice');
    for (const each of [channel, orders]) each.socket.terminate();
  });

  it('R63 is counted, and ignored where the header is invalid or its publisher does not sample it', async () => {
    const sent = ['00-0-1-01', `00-${'0'.repeat(32)}-${PARENT_ID}-01`, 'ff'];
    const invalidBefore = await gateway.metric('millrace_traces_total{outcome="invalid"}');
    for (const text of sent) {
      const given = headers();
      given.set('Traceparent', text);
      connection.publish('md.quotes.AAPL', JSON.stringify(quote('104.00')), { headers: given });
    }
    const unsampled = publish('md.quotes.AAPL', quote('105.00'), undefined, '00');
    await until(async () => (await gateway.metric('millrace_traces_total{outcome="invalid"}')) >= invalidBefore + 3);
    await until(async () => (await gateway.metric('millrace_traces_total{outcome="unsampled"}')) >= 2);
    expect(collector.spans.filter(({ traceId }) => traceId === unsampled)).toEqual([]);
  });
});

describe('R63 JetStream', () => {
  it('R63 traces the messages of a stream alike, but not those of before its start', async () => {
    const manager = await connection.jetstreamManager();
    await manager.streams.add({ name: 'MARKET', subjects: ['js.md.>'] });
    const old = publish('js.md.quotes.AAPL', quote('99.00'));
    await until(async () => (await manager.streams.info('MARKET')).state.messages === 1);
    const other = await startGateway({
      NATS_URL: nats.url,
      NATS_SUBJECT_PREFIX: 'js',
      JETSTREAM: 'on',
      NATS_STREAM: 'MARKET',
      SYMBOLS: 'AAPL',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_SERVICE_NAME: 'streams',
    });
    const reader = await TestClient.connect(`${other.url}/ws/trades?symbols=AAPL&token=${token}`);
    const trade = { trade_id: '1', symbol: 'AAPL', price: '1', quantity: '1' };
    const traceId = publish('js.md.trades.AAPL', trade);
    const [published] = await spans(traceId, 'publish');
    expect(published?.resource['service.name']).toBe('streams');
    expect((await spans(traceId, 'hub'))[0]?.attributes['messaging.destination.name']).toBe('md.trades.AAPL');
    expect(collector.of(old, 'hub')).toEqual([]);
    reader.socket.terminate();
    await other.stop();
  });
});

describe('R63 without a collector', () => {
  /** Fails whatever loads OpenTelemetry. */
  const env = {
    WORKERS: '1',
    NODE_OPTIONS: `--import ${new URL('../support/without-telemetry.mjs', import.meta.url)}`,
  };

  it('R63 no module of OpenTelemetry is loaded', async () => {
    const without = await startGateway(env);
    const reader = await TestClient.connect(`${without.url}/ws/quotes?symbols=AAPL&token=${token}`);
    await reader.arrived('quotes_patch');
    reader.socket.terminate();
    expect(await without.metric('millrace_traces_total{outcome="traced"}')).toBe(0);
    expect(await without.stop()).toBe(0);
    const traced = startGateway({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    await expect(traced).rejects.toThrow('@opentelemetry/api is not to be loaded');
  });
});

describe('R63 the collector', () => {
  it('R63 that refuses or hangs costs spans only, and does not hold up the end of the gateway', async () => {
    const failed = 'millrace_trace_spans_total{outcome="failed"}';
    collector.answer = 400;
    publish('md.quotes.AAPL', quote('106.00'));
    await until(async () => (await gateway.metric(failed)) >= 1, EXPORT_MS);
    await until(() => gateway.log().includes('the trace collector takes no spans'));
    collector.answer = 200;
    const traceId = publish('md.quotes.AAPL', quote('108.00'));
    await spans(traceId, 'hub');
    await until(() => gateway.log().includes('the trace collector takes spans again'));
    collector.answer = 'none';
    publish('md.quotes.AAPL', quote('109.00'));
    const requests = collector.requests.length;
    await until(() => collector.requests.length > requests, EXPORT_MS);
    const reader = await client('/ws/quotes?symbols=AAPL');
    await reader.arrived('quotes_patch');
    // It does not wait for the collector.
    expect(await gateway.stop()).toBe(0);
    expect(gateway.log()).toContain('"msg":"closed"');
  });
});
