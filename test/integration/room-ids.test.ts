/** Rooms over two gateways: what the client's own ids of its messages are good for, on core NATS and over JetStream. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TcpGate } from '../support/tcp-gate.js';

const ANSWER_MS_MAX = 20_000;

let nats: NatsServer;
let first: TestGateway;
let second: TestGateway;
let gate: TcpGate;
/** Each test has its own. */
let room = '';
let rooms = 0;
let answers = 0;
const clients: TestClient[] = [];
/** Ends what a test has started, in the opposite order, also when it fails. */
const ends: (() => Promise<unknown>)[] = [];

/** The first gateway reaches NATS through a gate. */
async function start(jetstream: boolean): Promise<void> {
  nats = await startNatsServer({ jetstream });
  ends.push(() => nats.stop());
  gate = await TcpGate.open(nats.port);
  ends.push(() => gate.close());
  const env = { JETSTREAM: jetstream ? 'on' : 'off', WORKERS: '1' };
  first = await startGateway({ ...env, NATS_URL: `nats://127.0.0.1:${gate.port}`, NODE_NAME: 'first' });
  ends.push(() => first.stop());
  second = await startGateway({ ...env, NATS_URL: nats.url, NODE_NAME: 'second' });
  ends.push(() => second.stop());
}

beforeEach(() => {
  room = `floor-${++rooms}`;
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
});

async function join(gateway: TestGateway, sub: string): Promise<TestClient> {
  const client = await TestClient.connect(`${gateway.url}/ws?token=${await testToken({ sub })}`);
  clients.push(client);
  client.send({ action: 'subscribe', stream: 'rooms', room, id: 'join' });
  await client.next('answer', frame => frame.id === 'join');
  return client;
}

/** Publishes, and returns the answer to it. */
async function say(client: TestClient, id: string, data: unknown) {
  const before = client.frames.length;
  client.send({ action: 'publish', stream: 'rooms', room, data, id });
  const isNew = (frame: object) => client.frames.indexOf(frame as never) >= before;
  return client.next('answer', frame => frame.id === id && isNew(frame), ANSWER_MS_MAX);
}

/** What the client has heard once everything published so far has come. */
async function heard(client: TestClient, by: TestClient): Promise<unknown[]> {
  const end = `end ${++answers}`;
  await say(by, end, end);
  await client.next('last message', frame => frame.type === 'room_message' && frame.data === end);
  return client
    .ofType('room_message')
    .map(({ data }) => data)
    .filter(data => !String(data).startsWith('end '));
}

const OTHER_CONTENT = { type: 'error', code: 'invalid_message', message: expect.stringContaining('already used') };

describe.each([
  ['core NATS', false],
  ['JetStream', true],
])('over %s', (_, jetstream) => {
  beforeAll(() => start(jetstream));

  afterAll(async () => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  });

  it('K5: an id used before with other content is an error, at this gateway and at another; the same content is not', async () => {
    const [alice, twin, carol] = [await join(first, 'alice'), await join(second, 'alice'), await join(second, 'carol')];
    const ack = await say(alice, 'm1', { text: 'one' });
    expect(ack).toMatchObject({ type: 'ack', topic: `rooms:${room}` });
    await carol.arrived('room_message');
    expect(await say(alice, 'm1', { text: 'two' })).toMatchObject(OTHER_CONTENT);
    expect(await say(twin, 'm1', { text: 'three' })).toMatchObject(OTHER_CONTENT);
    const again = await say(twin, 'm1', { text: 'one' });
    expect(again.type).toBe('ack');
    if (jetstream) expect(again).toEqual(ack);
    expect(await say(alice, 'm1', { text: 'one' })).toEqual(ack);
    // Of another user, or in another room, it is another id.
    expect((await say(carol, 'm1', { text: 'four' })).type).toBe('ack');
    for (const client of [alice, twin, carol]) {
      expect(await heard(client, alice)).toEqual([{ text: 'one' }, { text: 'four' }]);
    }
  });

  it('K6: one id through two gateways at once is one message to each client, and both get a place', async () => {
    const [alice, twin, carol] = [await join(first, 'alice'), await join(second, 'alice'), await join(second, 'carol')];
    const acks = await Promise.all([say(alice, 'm1', 'hello'), say(twin, 'm1', 'hello')]);
    for (const { type } of acks) expect(type).toBe('ack');
    if (jetstream) expect(acks[0]).toEqual(acks[1]);
    for (const client of [alice, twin, carol]) expect(await heard(client, carol)).toEqual(['hello']);
  });

  it('K6: what may have been published is not called refused, and repeated with its id comes once', async () => {
    const [alice, carol] = [await join(first, 'alice'), await join(second, 'carol')];
    gate.holdServer();
    const unknown = say(alice, 'm1', 'hello');
    await carol.arrived('room_message', 1, ANSWER_MS_MAX);
    expect(await unknown).toMatchObject({
      type: 'error',
      code: 'internal',
      message: expect.stringContaining('may have been published; repeat it with the same id'),
    });
    gate.cut();
    gate.restore();
    const isBack = (frame: object) => (frame as { feed?: unknown }).feed === 'live';
    await alice.next('feed live', isBack, ANSWER_MS_MAX);
    expect((await say(alice, 'm1', 'hello')).type).toBe('ack');
    expect(await heard(carol, alice)).toEqual(['hello']);
    expect(await heard(alice, carol)).toEqual(['hello']);
  });

  it('K6: without NATS it is said that nothing was published', async () => {
    const alice = await join(first, 'alice');
    await nats.kill();
    await alice.next('feed stale', frame => frame.feed === 'stale', ANSWER_MS_MAX);
    expect(await say(alice, 'm1', 'hello')).toMatchObject({
      code: 'internal',
      message: expect.stringMatching(/^not published: /),
    });
  });
});
