/** R70 checkpoints in JetStream: the gateway says at its start if they cannot leave, and sends what waited once they can. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { JournalFolder } from '../support/journal/folder.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const STREAM = 'CHECKPOINTS';
const FAILURES = 'millrace_journal_checkpoint_failures_total';
const SUBJECTS = 'journal.checkpoints.>';
const MUTE = 'journal.checkpoints.mute';
const CREATE = `$JS.API.STREAM.CREATE.${STREAM}`;
const CONFIG = `authorization { users = [
  { user: admin, password: admin }
  { user: edge, password: edge, permissions: { publish: { deny: ["${CREATE}"] } } }
  { user: mute, password: mute, permissions: { publish: { deny: ["${MUTE}"] } } }
] }`;

const base = mkdtempSync(join(tmpdir(), 'millrace-checkpoints-'));
const folders = { edge: new JournalFolder(), mute: new JournalFolder() };
let nats: NatsServer;
let admin: NatsConnection;

const started = (user: keyof typeof folders): Promise<TestGateway> =>
  startGateway({
    ...folders[user].env,
    NATS_URL: `nats://${user}:${user}@127.0.0.1:${nats.port}`,
    SYMBOLS: 'A',
    NODE_NAME: user,
    WORKERS: '1',
    ENCODERS: '1',
    JOURNAL_CHECKPOINTS: 'jetstream',
    JOURNAL_CHECKPOINT_STREAM: STREAM,
  });

beforeAll(async () => {
  const config = join(base, 'nats.conf');
  writeFileSync(config, CONFIG);
  nats = await startNatsServer({ jetstream: true, args: ['-c', config] });
  admin = await connect({ servers: nats.url, user: 'admin', pass: 'admin' });
});

afterAll(async () => {
  await admin?.close();
  await nats?.stop();
  for (const folder of Object.values(folders)) folder.remove();
  rmSync(base, { recursive: true });
});

it('R70 a stream that is absent, or a subject that is denied, is reported long before the first checkpoint', async () => {
  const edge = await started('edge');
  await until(() => edge.log().includes('checkpoints cannot be sent'), undefined, 'the absent stream is reported');
  expect(edge.log()).toContain(CREATE);
  const manager = await admin.jetstreamManager();
  await manager.streams.add({ name: STREAM, subjects: [SUBJECTS] });
  await until(() => edge.log().includes('checkpoints are sent again'), undefined, 'the gateway finds the stream');

  const mute = await started('mute');
  await until(() => mute.log().includes('checkpoints cannot be sent'), undefined, 'the denied subject is reported');
  expect(mute.log()).toContain(MUTE);
  expect(await mute.metric(FAILURES)).toBeGreaterThan(0);
  await mute.stop();

  await edge.stop();
  // What it published to learn its rights is not stored.
  const { state } = await manager.streams.info(STREAM);
  const notes: string[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    notes.push(new TextDecoder().decode((await manager.streams.getMessage(STREAM, { seq })).data));
  }
  expect(notes.length).toBeGreaterThan(0);
  expect(notes.filter(note => !note.startsWith('millrace/edge\n'))).toEqual([]);
  const [, blocks, root = ''] = notes.at(-1)?.split('\n', 3) ?? [];
  expect(folders.edge.verified()).toBe(`${blocks} ${Buffer.from(root, 'base64').toString('hex')}`);
}, 240_000);
