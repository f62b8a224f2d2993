/**
 * P11: thousands of subscribes to topics that no other client follows, while each of them is traded all the time.
 * @module-tag slow
 * @module-tag bulk
 */
import { expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const CLIENTS = 20;
const ROUNDS = 100;
const SYMBOLS = Array.from({ length: CLIENTS }, (_, n) => `S${n}`);

test('P11 no event of a topic comes before the `subscribed` that names it', { timeout: 300_000 }, async () => {
  const gateway = await startGateway({
    WORKERS: '2',
    SIM_RATE: '10000',
    SYMBOLS: SYMBOLS.join(','),
    WS_MESSAGE_RATE: '10000',
  });
  const clients: TestClient[] = [];
  let early = 0;
  let events = 0;
  try {
    const run = async (symbol: string): Promise<void> => {
      const client = await TestClient.connect(`${gateway.url}/ws?token=${await testToken()}`);
      clients.push(client);
      for (let round = 0; round < ROUNDS; round++) {
        const id = `r${round}`;
        client.send({ action: 'subscribe', stream: 'trades', symbol, id });
        const isAnswer = (frame: Record<string, unknown>) => frame.id === id;
        await until(() => client.frames.some(isAnswer) && client.frames.at(-1)?.type === 'trade_executed');
        const at = client.frames.findIndex(isAnswer);
        early += client.frames.slice(0, at).filter(({ type }) => type === 'trade_executed').length;
        events += client.frames.length - at - 1;
        client.send({ action: 'unsubscribe', stream: 'trades', symbol, id: `u${round}` });
        await until(() => client.frames.some(frame => frame.id === `u${round}`));
        client.frames.length = 0;
      }
    };
    await Promise.all(SYMBOLS.map(run));
    expect(events).toBeGreaterThanOrEqual(CLIENTS * ROUNDS);
    expect(early).toBe(0);
  } finally {
    for (const client of clients) client.socket.terminate();
    await gateway.stop();
  }
});
