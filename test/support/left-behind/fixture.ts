/** Starts a gateway and a nats-server, names them in the file `LEFT_BEHIND`, and then waits until the test times out. */
import { writeFileSync } from 'node:fs';
import { beforeAll, it } from 'vitest';
import { startGateway } from '../gateway.js';
import { startNatsServer } from '../nats-server.js';

const TIMEOUT_MS = Number(process.env.LEFT_BEHIND_TIMEOUT_MS);

beforeAll(async () => {
  const nats = await startNatsServer();
  const gateway = await startGateway({ NATS_URL: nats.url, WORKERS: '1', ENCODERS: '1' });
  const processes = { nats: nats.pid, gateway: gateway.pid, worker: process.pid };
  writeFileSync(process.env.LEFT_BEHIND ?? '', JSON.stringify(processes));
}, 60_000);

it('times out', () => new Promise(() => undefined), TIMEOUT_MS);
