/** What one client may make the gateway do: a real gateway with the default budgets, and somebody else who must not notice. */
import { afterEach, describe, expect, it } from 'vitest';
import { ROOM_OPENED_UNITS } from '../../src/protocol/costs.js';
import { type Frame, type Refused, refusedUpgrade, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { RawClient } from '../support/raw-client.js';
import { PATIENCE_MS, until } from '../support/until.js';
import { frame } from '../support/wire-frames.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

/** With its own budgets, not those of other tests. */
async function gatewayWith(env: Record<string, string> = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    ...{ WORKERS: '1', ENCODERS: '1', SIM_SYMBOLS: '300', SIM_RATE: '200', WS_COST_RATE: '' },
    ...env,
  });
  ends.push(async () => {
    expect(gateway.log()).not.toMatch(/"level":(50|60)/);
    expect(await gateway.stop()).toBe(0);
  });
  return gateway;
}

async function open(url: string): Promise<TestClient> {
  const client = await TestClient.connect(url);
  ends.push(() => client.close());
  return client;
}

/** The address of a retail client's connection. */
async function retail(gateway: TestGateway, path = '/ws', query = ''): Promise<string> {
  return `${gateway.url}${path}?token=${await testToken({ sub: 'retail', tier: 'retail' })}${query}`;
}

/** An institutional client of some quotes, which must go on receiving them. */
async function victimOf(gateway: TestGateway): Promise<() => Promise<void>> {
  const token = await testToken({ tier: 'institutional' });
  const victim = await open(`${gateway.url}/ws/quotes?token=${token}&symbols=AAPL,BTC/USDT,MSFT,NVDA`);
  await victim.arrived('quotes_patch');
  return async () => {
    const before = victim.ofType('quotes_patch').length;
    await victim.arrived('quotes_patch', before + 3);
    expect(victim.ofType('gap')).toEqual([]);
    expect(victim.socket.readyState).toBe(victim.socket.OPEN);
  };
}

const names = (count: number, length = 1) => Array.from({ length: count }, (_, i) => `${'S'.repeat(length)}${i}`);
const errors = (client: TestClient): readonly Frame[] => client.ofType('error');

describe('J1 names are bounded before they are walked', () => {
  it('R47 R40a an unsubscribe of 100,000 names is refused unread, and others are served', async () => {
    const gateway = await gatewayWith();
    const isServed = await victimOf(gateway);
    const attacker = await open(`${gateway.url}/ws`);
    for (let i = 0; i < 10; i++) attacker.send({ action: 'unsubscribe', stream: 'quotes', symbols: names(100_000) });
    await attacker.arrived('error', 10, 30_000);
    for (const { code } of errors(attacker)) expect(['payload_too_large', 'rate_limited']).toContain(code);
    await isServed();
    expect(await gateway.metric('millrace_worker_restarts_total')).toBe(0);
  });

  it.each(['unsubscribe', 'resync', 'subscribe'])('a "%s" of 1025 names says how many it may have', async action => {
    const gateway = await gatewayWith();
    const client = await open(`${gateway.url}/ws`);
    client.send({ action, id: 1, stream: 'quotes', symbols: names(1025) });
    client.send({ action, id: 2, stream: 'analytics', channels: names(600), symbols: names(600, 2) });
    client.send({ action: 'ping', id: 3 });
    await client.arrived('pong');
    const [first, second] = errors(client);
    expect(first).toMatchObject({ id: 1, code: 'too_many_subscriptions' });
    expect(first?.message).toMatch(/1024/);
    // Each list is short enough, but not all together; or some of these are no channels.
    expect(second).toMatchObject({ id: 2 });
    expect(['too_many_subscriptions', 'unknown_channel']).toContain(second?.code);
  });

  it('J7 a message to a room that nobody follows is charged for following it', async () => {
    const gateway = await gatewayWith();
    const client = await open(await retail(gateway));
    const unitsOf = async (room: string, id: number): Promise<number> => {
      const before = await gateway.metric('millrace_work_units_total');
      client.send({ action: 'publish', id, stream: 'rooms', room, data: {} });
      await until(() => client.ofType('ack').some(ack => ack.id === id));
      return (await gateway.metric('millrace_work_units_total')) - before;
    };
    const opened = await unitsOf('unfollowed', 1);
    client.send({ action: 'subscribe', stream: 'rooms', room: 'followed' });
    await client.arrived('subscribed');
    expect(opened - (await unitsOf('followed', 2))).toBeCloseTo(ROOM_OPENED_UNITS, -1);
  });

  it('JSON with a long number is charged for what reading it exactly costs', async () => {
    const gateway = await gatewayWith();
    const client = await open(`${gateway.url}/ws`);
    const text = JSON.stringify({ action: 'ping', id: 1, x: [`#`, ...new Array(5000).fill(0)] });
    const unitsOf = async (message: string, count: number): Promise<number> => {
      const before = await gateway.metric('millrace_work_units_total');
      client.socket.send(message);
      await client.arrived('pong', count);
      return (await gateway.metric('millrace_work_units_total')) - before;
    };
    const plain = await unitsOf(text, 1);
    const long = await unitsOf(text.replace('"#"', '12345678901234567890'), 2);
    expect(long).toBeGreaterThan(5 * plain);
  });

  it.each([
    ['pings', 0x9],
    ['pongs', 0xa],
  ])('a flood of %s ends its connection alone', async (_what, opcode) => {
    const gateway = await gatewayWith();
    const isServed = await victimOf(gateway);
    const attacker = await RawClient.connect(`${gateway.url}/ws`);
    const flood = Buffer.concat(new Array(2000).fill(frame(opcode, '')));
    for (let i = 0; i < 20 && !attacker.isClosed; i++) {
      attacker.write(flood);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    await until(() => attacker.isClosed, PATIENCE_MS, 'its end');
    await isServed();
    expect(await gateway.metric('millrace_worker_restarts_total')).toBe(0);
    expect(await gateway.metric('millrace_closes_total{code="4029"}')).toBe(1);
  });

  it('arrays in each other are refused while they are read', async () => {
    const gateway = await gatewayWith();
    const client = await open(`${gateway.url}/ws`);
    client.socket.send('['.repeat(60_000));
    client.socket.send(`${'['.repeat(1000)}${']'.repeat(1000)}`);
    client.send({ action: 'ping' });
    await client.arrived('pong');
    expect(errors(client).map(({ code }) => code)).toEqual(['invalid_json', 'invalid_json']);
  });
});

describe('J2 R41 a client pays for what it makes the gateway do', () => {
  const all = { action: 'subscribe', stream: 'quotes', symbols: ['AAPL', 'MSFT', 'NVDA', 'BTC/USDT'] };

  it('is told when its budget is used up, with the id, and may go on behind retry_after_ms', async () => {
    const gateway = await gatewayWith({ WS_COST_RATE: '2000' });
    const isServed = await victimOf(gateway);
    const client = await open(await retail(gateway));
    let sent = 0;
    while (errors(client).length === 0) {
      client.send({ ...all, id: ++sent, class: sent % 2 === 0 ? '100ms' : '1000ms' });
      await client.next('an answer', frame => frame.id === sent || frame.code === 'rate_limited');
      expect(sent).toBeLessThan(500);
    }
    const [refused] = errors(client);
    expect(refused).toMatchObject({ type: 'error', id: sent, code: 'rate_limited' });
    const waitMs = refused?.retry_after_ms as number;
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThan(5_000);
    await new Promise(resolve => setTimeout(resolve, waitMs + 50));
    client.send({ action: 'ping', id: 'again' });
    await client.next('a pong', frame => frame.type === 'pong' && frame.id === 'again');
    await isServed();
    expect(await gateway.metric('millrace_work_refused_total')).toBeGreaterThan(0);
    expect(await gateway.metric('millrace_work_units_total')).toBeGreaterThan(10_000);
  });

  it('is closed with 4029 when it sends on regardless', async () => {
    const gateway = await gatewayWith({ WS_COST_RATE: '1000', WS_MESSAGE_RATE: '100' });
    const isServed = await victimOf(gateway);
    const client = await open(await retail(gateway));
    const closed = new Promise<number>(resolve => client.socket.once('close', resolve));
    const pump = setInterval(() => {
      for (let i = 0; i < 2000; i++) client.socket.send('{"action":"ping"}');
    }, 10);
    expect(await closed).toBe(4029);
    clearInterval(pump);
    await isServed();
  });

  it('upgrades are charged too: beyond the budget 429, and not to institutional clients of the same address', async () => {
    const gateway = await gatewayWith({ WS_COST_RATE: '1000' });
    const url = await retail(gateway, '/ws/quotes', '&symbols=AAPL,MSFT,NVDA,BTC/USDT');
    let refused: Refused | undefined;
    for (let i = 0; i < 400 && refused === undefined; i++) refused = await refusedUpgrade(url).catch(() => undefined);
    const { status, headers, body } = refused as Refused;
    expect([status, body.error?.code]).toEqual([429, 'rate_limited']);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    // Its address is used up by others.
    await (await victimOf(gateway))();
  });

  it('a client that stays in its rate is never refused', async () => {
    const gateway = await gatewayWith();
    const client = await open(await retail(gateway));
    for (let i = 0; i < 1000; i++) client.send({ action: 'ping', id: i });
    await until(() => client.ofType('pong').length === 1000, 30_000, 'all pongs');
    expect(errors(client)).toEqual([]);
  });
});

describe('J4 R40a what is sent again is paid for', () => {
  it('by its bytes: who asks for the same past again and again has to wait', async () => {
    const gateway = await gatewayWith({ SIM_RATE: '2000', WS_COST_RATE: '5000' });
    const isServed = await victimOf(gateway);
    const client = await open(await retail(gateway));
    client.send({ action: 'subscribe', id: 0, stream: 'trades', symbol: 'AAPL' });
    const [{ epoch, seq } = {}] = await client.arrived('trade_executed', 20, 30_000);
    const since = { epoch, seq };
    const before = await gateway.metric('millrace_work_units_total');
    let asked = 0;
    while (errors(client).length === 0) {
      client.send({ action: 'subscribe', id: ++asked, stream: 'trades', symbol: 'AAPL', since });
      await client.next('an answer', frame => frame.id === asked);
      expect(asked).toBeLessThan(500);
    }
    expect(errors(client)[0]).toMatchObject({ id: asked, code: 'rate_limited' });
    expect(client.ofType('subscribed').some(({ recovered }) => recovered === true)).toBe(true);
    expect((await gateway.metric('millrace_work_units_total')) - before).toBeGreaterThan(5000);
    await isServed();
  });
});
