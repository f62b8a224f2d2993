/**
 * R73 a thousand FIX sessions at once.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { expect, it } from 'vitest';
import { FixClientBook } from '../support/fix-book.js';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { startGateway, testToken } from '../support/gateway.js';
import { startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { PATIENCE_MS, until } from '../support/until.js';

const SESSIONS = 1_000;
const SYMBOLS = ['A', 'B', 'C'];
const CHANGES = 20;

it(`R73 ${SESSIONS} sessions log on, and each ends with the books of the publisher`, async () => {
  const nats = await startNatsServer();
  const publisher = await TestPublisher.connect(nats.url);
  const limits = { WS_MAX_CONNECTIONS_PER_IP: '10000', DRAIN_TIMEOUT: '1s' };
  const gateway = await startGateway({ NATS_URL: nats.url, WORKERS: '1', ENCODERS: '1', FIX_PORT: '0', ...limits });
  const publish = (symbol: string, size: number, snapshot: boolean) =>
    publisher.put(`md.books.${symbol}`, { symbol, bids: [['99', String(size)]], asks: [['101', '1']], snapshot });
  for (const symbol of SYMBOLS) publish(symbol, 1, true);
  await publisher.settled(gateway);
  const token = await testToken();
  const clients = Array.from({ length: SESSIONS }, (_, i) => new FixSocket(fixPortOf(gateway), `C${i}`));
  const answers = await Promise.all(clients.map(client => client.logOn(token)));
  expect(answers.filter(answer => answer?.includes('|35=A|'))).toHaveLength(SESSIONS);
  for (const client of clients) client.subscribe('m', SYMBOLS, 10);
  const hasAll = (client: FixSocket) => client.messages.filter(message => message.includes('|35=W|')).length === 3;
  await until(() => clients.every(hasAll), PATIENCE_MS, 'each session has three W');
  for (let size = 2; size <= CHANGES; size++) for (const symbol of SYMBOLS) publish(symbol, size, false);
  const bookOf = (client: FixSocket, symbol: string) => {
    const book = new FixClientBook();
    for (const message of client.messages) if (message.includes(`|55=${symbol}|`)) book.take(message);
    return book;
  };
  const isDone = (client: FixSocket) =>
    SYMBOLS.every(symbol => bookOf(client, symbol).bids.get('99') === String(CHANGES));
  await until(() => clients.every(isDone), PATIENCE_MS, 'each session has the last books');
  for (const client of clients) {
    const numbers = client.messages.map(message => Number(/\|34=(\d+)\|/.exec(message)?.[1]));
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  }
  expect(await gateway.metric('millrace_fix_sessions')).toBe(SESSIONS);
  for (const client of clients) client.end();
  await until(async () => (await gateway.metric('millrace_fix_sessions')) === 0, PATIENCE_MS, 'all are gone');
  await gateway.stop();
  await publisher.close();
  await nats.stop();
}, 120_000);
