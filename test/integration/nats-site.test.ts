/**
 * A site as firms run it: one NATS account for several environments, JetStream in a domain, users that may use the
 * subjects of their environment alone. The gateway and every command that uses NATS work there.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { afterEach, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, testToken } from '../support/gateway.js';
import { startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';
import { runCli, startCli } from '../unit/cli/run-cli.js';

const TIMEOUT_MS = 60_000;
/** Whatever is used without a prefix, or in another inbox, is refused. The server maps its domain to `$JS.API`. */
const CONFIG = `
jetstream { domain: hub }
authorization {
  users: [
    {
      user: prod, password: "p:w,@%"
      permissions: {
        publish: [ "prod.>", "$JS.API.>", "$KV.>", "_INBOX_prod.>" ]
        subscribe: [ "prod.>", "_INBOX_prod.>" ]
      }
    }
    { user: test, password: test }
  ]
}`;

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

it('N8 R3 R33 the gateway and all commands use the prefix, the domain, the inbox and the credentials alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-site-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'nats.conf'), CONFIG);
  const nats = await startNatsServer({ jetstream: true, args: ['-c', join(folder, 'nats.conf')] });
  ends.push(() => nats.stop());
  const env = {
    NATS_URL: `nats://prod:p%3Aw%2C%40%25@127.0.0.1:${nats.port}`,
    NATS_SUBJECT_PREFIX: 'prod',
    NATS_JS_DOMAIN: 'hub',
    NATS_INBOX_PREFIX: '_INBOX_prod',
  };
  const gateway = await startGateway({ ...env, JETSTREAM: 'on', WORKERS: '1', ENCODERS: '1' });
  ends.push(() => gateway.stop('SIGINT'));
  const test = await connect({ servers: nats.url, user: 'test', pass: 'test' });
  ends.push(() => test.close());
  const client = await TestClient.connect(`${gateway.url}/ws?token=${await testToken()}`);
  ends.push(() => client.close());

  const recording = join(folder, 'prod.rec');
  const recorder = startCli(['record', recording], env);
  ends.push(() => recorder.child.kill('SIGKILL'));
  await until(() => recorder.output.stderr.includes('recording prod.md.>'), TIMEOUT_MS, 'the recording has begun');
  const published = await runCli(['publish', 'md.quotes.AAPL', '{"symbol":"AAPL","bid":1}'], env);
  expect([published.code, published.stdout]).toEqual([0, 'published 25 bytes to prod.md.quotes.AAPL\n']);
  client.send({ action: 'subscribe', stream: 'quotes', symbol: 'AAPL', id: 'q' });
  await client.arrived('quotes_patch', 1, TIMEOUT_MS);
  client.send({ action: 'publish', stream: 'rooms', room: 'desk', data: { text: 'hi' }, id: 'm' });
  await client.next('the ack', frame => frame.type === 'ack' && frame.id === 'm', TIMEOUT_MS);

  const simulator = startCli(['simulate', '--symbols', 'SIM', '--rate', '50'], env);
  ends.push(() => simulator.child.kill('SIGKILL'));
  const kept = async () => readFile(recording, 'utf8');
  await until(async () => (await kept()).includes('md.quotes.SIM'), TIMEOUT_MS, 'the simulated market is recorded');
  expect(await kept()).toContain('md.quotes.AAPL');
  expect(await kept()).not.toContain('prod.');
  for (const { child, ended } of [simulator, recorder]) {
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  }

  const revoked = await runCli(['revoke', '--sub', 'alice'], env);
  expect([revoked.code, revoked.stdout]).toEqual([0, 'millrace revoked it, kept in kv\n']);
  await until(() => client.closed?.code === 4500, TIMEOUT_MS, 'the client is disconnected');
  await gateway.stop();
  const stored = await runCli(['revoke', '--sub', 'bob'], env);
  expect([stored.code, stored.stdout]).toEqual([0, expect.stringContaining('stored in bucket MILLRACE_REVOCATIONS')]);
  expect(gateway.log()).not.toMatch(/permission|refused|p:w/i);

  const streams = await (await test.jetstreamManager()).streams.list().next();
  const subjects = streams.flatMap(({ config }) => config.subjects).sort();
  expect(subjects).toEqual([
    '$KV.MILLRACE_REVOCATIONS.>',
    'prod.analytics.>',
    'prod.control.revoke',
    'prod.md.>',
    'prod.orders.>',
    'prod.rooms.>',
  ]);
});
