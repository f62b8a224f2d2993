/** A client comes back to more than one frame, or one ring, can hold. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';

const ALERTS = 30;
const ALERT_BYTES = 100 * 1024;
const ANSWER_MS_MAX = 30_000;

let nats: NatsServer;
let gateway: TestGateway;
let publisher: TestPublisher;

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await startGateway({ NATS_URL: nats.url, WORKERS: '1' });
  publisher = await TestPublisher.connect(nats.url);
});

afterAll(async () => {
  await publisher.close();
  await gateway.stop();
  await nats.stop();
});

const connect = async (format: string) =>
  TestClient.connect(`${gateway.url}/ws?token=${await testToken()}&format=${format}`);

let published = 0;
const alert = (bytes: number) => {
  const data = { n: ++published, padding: 'x'.repeat(bytes) };
  publisher.put('analytics.alerts', { data, timestamp: new Date().toISOString() });
};
const numbers = (client: TestClient) => client.ofType('alert').map(({ data }) => (data as { n: number }).n);

it.each(['json', 'msgpack'])(
  'K2: a resume over 3 MB of missed alerts is answered, whole or not at all (%s)',
  async format => {
    const before = await connect(format);
    before.send({ action: 'subscribe', channels: ['alerts'], id: 's' });
    await before.next('answer', frame => frame.id === 's');
    alert(10);
    const [seen] = await before.arrived('alert');
    await before.close();
    const first = published;
    for (let i = 0; i < ALERTS; i++) alert(ALERT_BYTES);
    await publisher.settled(gateway);

    const back = await connect(format);
    const since = { epoch: seen?.epoch, seq: seen?.seq };
    back.send({ action: 'subscribe', channels: ['alerts'], since, id: 'r' });
    back.send({ action: 'ping', id: 'p' });
    const answer = await back.next('answer', frame => frame.id === 'r', ANSWER_MS_MAX);
    await back.next('pong', frame => frame.id === 'p');
    alert(10);
    const last = published;
    await back.next('live alert', frame => (frame.data as { n?: number } | undefined)?.n === last, ANSWER_MS_MAX);
    const missed = Array.from({ length: ALERTS }, (_, i) => first + 1 + i);
    expect(numbers(back)).toEqual(answer.recovered === true ? [...missed, last] : [last]);
    await back.close();
  },
);
