/** Clients sit on another thread, so what they have received while this thread still holds its turn left before its end. */
import { clientThread, spin } from './clients.mjs';
import { openClients, probe, serve, turns, until } from './probe.mjs';
import { phase, straceWorks, traceSends } from './strace.mjs';

const SOCKETS = 5;
const HOLD_MS = 60;

if (process.argv[2] === 'traced') {
  const { app, port, sockets } = serve();
  await openClients(port, SOCKETS);
  for (const ws of sockets) ws.subscribe('topic');
  await turns(5);
  for (const [count, bytes] of [
    [1, 100],
    [8, 100],
    [32, 100],
    [33, 100],
    [64, 100],
    [5, 3000],
    [10, 3000],
  ]) {
    phase(`${count} x ${bytes} B`);
    for (let message = 0; message < count; message++) app.publish('topic', new Uint8Array(bytes), true);
    await turns(3);
    phase('');
  }
  process.exit(0);
}

await probe(
  'publish only queues; the flush comes once per loop turn, one send per socket',
  async ({ check, note, skip }) => {
    const { app, port, sockets } = serve();
    const clients = await clientThread(port, SOCKETS);
    await until(() => sockets.length === SOCKETS, 'sockets open');
    for (const ws of sockets) ws.subscribe('topic');

    const before = clients.frames();
    for (let message = 0; message < 31; message++) app.publish('topic', new Uint8Array(100), true);
    spin(HOLD_MS);
    const during = clients.frames() - before;
    check(
      during === 0,
      `31 publishes to ${SOCKETS} sockets: ${during} frames arrived in the ${HOLD_MS} ms before the turn ended`,
    );
    await until(() => clients.frames() - before === 31 * SOCKETS, 'the turn ends and everything arrives');
    check(true, `${31 * SOCKETS} frames arrived after it`);

    if (!straceWorks()) {
      skip('the count of system calls needs strace');
      return;
    }
    const phases = await traceSends(import.meta.url, ['traced']);
    const perSocket = name => (phases.get(name)?.length ?? Number.NaN) / SOCKETS;
    for (const name of ['1 x 100 B', '8 x 100 B', '32 x 100 B', '5 x 3000 B']) {
      check(perSocket(name) === 1, `${name} in one turn: ${perSocket(name)} send per socket`);
    }
    for (const name of ['33 x 100 B', '64 x 100 B', '10 x 3000 B']) {
      check(perSocket(name) === 2, `${name} in one turn: ${perSocket(name)} sends per socket`);
    }
    note(
      `sizes of the sends of 10 x 3000 B: ${[...new Set(phases.get('10 x 3000 B')?.map(send => send.bytes))].join(', ')} B`,
    );
  },
);
