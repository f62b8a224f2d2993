import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findPredecessor } from '../../../src/cli/takeover.js';
import { readConfig } from '../../../src/config/environment.js';

/** Takes tokens alone. */
const server = createServer((_request, response) => {
  response.writeHead(401, { Connection: 'close' }).end('{}');
});
beforeEach(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()));
});
afterEach(async () => {
  await new Promise(resolve => server.close(resolve));
});

it.each([
  [{}, 'asks for ADMIN_TOKEN, which is not set here'],
  [{ ADMIN_TOKEN: 'x'.repeat(32) }, 'has another ADMIN_TOKEN'],
])('R61 says why the gateway in service cannot be asked, with %o', async (env, why) => {
  const { port } = server.address() as AddressInfo;
  await expect(findPredecessor(readConfig({ ...env, ADMIN_PORT: String(port) }))).rejects.toThrow(why);
});
