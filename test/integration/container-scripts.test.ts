/** R66: the programs of the image beside Millrace: its health check, and what makes its node_modules small. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ownFreePort } from '../../src/cli/free-port.js';
import { startGateway, type TestGateway } from '../support/gateway.js';

const FOLDER = fileURLToPath(new URL('../../ops/container/', import.meta.url));
const HOST = '127.0.0.1';

describe('R66 R61 the health check of the container', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway({ WORKERS: '1', ENCODERS: '1' });
  });
  afterAll(() => gateway?.stop());

  async function checked(adminPort: number, path?: string, env: Readonly<Record<string, string>> = {}) {
    const child = spawn(join(FOLDER, 'healthcheck.sh'), path === undefined ? [] : [path], {
      env: { PATH: process.env.PATH ?? '', ADMIN_PORT: String(adminPort), ...env },
      stdio: 'ignore',
    });
    const [code] = await once(child, 'exit');
    return code as number;
  }
  const portOf = () => Number(new URL(gateway.adminUrl).port);

  it.each([
    ['at once', undefined, {}],
    ['and ready', '/readyz', {}],
    ['where the admin port is on every address', '/healthz', { ADMIN_HOST: '0.0.0.0' }],
    ['at a name', '/healthz', { ADMIN_HOST: 'localhost' }],
  ])('R66 says that a gateway is well %s', async (_how, path, env) => {
    expect(await checked(portOf(), path, env)).toBe(0);
  });

  it('R66 says that it is not if the answer is another, or there is none', async () => {
    expect(await checked(portOf(), '/nowhere')).toBe(1);
    expect(await checked(await ownFreePort(HOST))).toBe(1);
  });

  describe('of a gateway that hangs', () => {
    let server: Server;
    afterEach(() => server.close());

    it('R66 says so within its time', async () => {
      server = createServer(() => undefined).listen(0, HOST);
      await once(server, 'listening');
      const address = server.address();
      expect(await checked(typeof address === 'object' ? (address?.port ?? 0) : 0)).toBe(1);
    });
  });
});

describe('R66 prune.sh', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-prune-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const binary = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
  const write = (file: string): void => {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), '');
  };

  it('R66 keeps the one uWebSockets binary of this Node, licences and code, and nothing besides', () => {
    const kept = [
      `@btc-vision/uwebsockets.js/${binary}`,
      'koffi/linux_x64/koffi.node',
      'a/LICENSE.md',
      'a/index.js',
      'a/dist/test/index.js',
      '@b/c/index.cjs',
    ];
    const removed = [
      '@btc-vision/uwebsockets.js/uws_plan9_mips_1.node',
      `uWebSockets.js/dist/bin/${binary}`,
      'uWebSockets.js/dist/bin/uws_plan9_mips_1.node',
      'koffi/musl_x64/koffi.node',
      'd/node.napi.musl.node',
      'a/index.js.map',
      'a/index.d.ts',
      'a/README.md',
      'a/test/a.js',
      '@b/c/benchmarks/c.js',
    ];
    for (const file of [...kept, ...removed]) write(file);
    const run = spawnSync(join(FOLDER, 'prune.sh'), [directory], { encoding: 'utf8' });
    expect([run.status, run.stderr]).toEqual([0, '']);
    expect(kept.filter(file => !existsSync(join(directory, file)))).toEqual([]);
    expect(removed.filter(file => existsSync(join(directory, file)))).toEqual([]);
  });

  it('R66 keeps the binary of the other package where the first has none', () => {
    rmSync(directory, { recursive: true });
    write(`uWebSockets.js/dist/bin/${binary}`);
    write('@btc-vision/uwebsockets.js/uws_plan9_mips_1.node');
    expect(spawnSync(join(FOLDER, 'prune.sh'), [directory]).status).toBe(0);
    expect(existsSync(join(directory, `uWebSockets.js/dist/bin/${binary}`))).toBe(true);
  });
});
