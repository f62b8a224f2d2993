/**
 * Rough: resident memory of a server process before and after. The clients live in the parent, so that only the server's
 * side is counted. Each case is a process of its own.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { openClients, probe, RawClient, serve, turns } from './probe.mjs';

const SOCKETS = 2000;
const SNAPSHOT_SOCKETS = 200;
const SNAPSHOT_BYTES = 200 * 1024;
const TOPICS = 2000;
const SUBSCRIBERS = 100;

const resident = async () => {
  for (let pass = 0; pass < 3; pass++) {
    globalThis.gc?.();
    await turns(3);
  }
  return process.memoryUsage().rss;
};

/** Server side: opens a port, tells it, and acts on the parent's words. */
async function child(kind) {
  const { port, sockets, app } = serve({ maxBackpressure: 16 * 1024 * 1024 });
  const snapshot = new Uint8Array(SNAPSHOT_BYTES);
  let before = 0;
  process.on('message', async word => {
    if (word === 'start') {
      before = await resident();
    } else if (word === 'act') {
      for (const ws of sockets) {
        if (kind === 'send-then-subscribe') ws.send(snapshot, true);
        if (kind.includes('send') || kind.includes('pieces')) ws.subscribe('topic');
        if (kind === 'subscribe-then-send') ws.send(snapshot, true);
        if (kind === 'subscribe-then-pieces') {
          for (let at = 0; at < SNAPSHOT_BYTES; at += 15_000) ws.send(snapshot.subarray(at, at + 15_000), true);
        }
        if (kind.startsWith('batch')) ws.subscribe('batch');
        if (kind === 'subscriptions') for (let topic = 0; topic < TOPICS; topic++) ws.subscribe(`book.${topic}`);
      }
      const count = { 'batch-under-16-KiB': 5, 'batch-over-16-KiB': 10 }[kind] ?? 0;
      for (let message = 0; message < count; message++) app.publish('batch', snapshot.subarray(0, 3000), true);
    } else if (word === 'measure') {
      const buffered = sockets.reduce((sum, ws) => sum + ws.getBufferedAmount(), 0);
      process.send?.({ grown: (await resident()) - before, buffered, subscribers: app.numSubscribers('topic') });
      return;
    }
    process.send?.('done');
  });
  process.send?.(port);
}

async function measure(kind, sockets, startAfterOpening) {
  const server = fork(fileURLToPath(import.meta.url), [kind], { execArgv: ['--expose-gc'] });
  const ask = async word => {
    server.send(word);
    return (await once(server, 'message'))[0];
  };
  const [port] = await once(server, 'message');
  // One connection first, so that what uWS allocates once is not counted.
  const warm = await RawClient.open(port);
  if (!startAfterOpening) await ask('start');
  const clients = await openClients(port, sockets);
  for (const client of clients) client.keepPayloads = false;
  if (startAfterOpening) await ask('start');
  await ask('act');
  let result = await ask('measure');
  while (result.buffered > 0) result = await ask('measure');
  for (const client of [warm, ...clients]) client.end();
  server.kill();
  return result.grown / sockets;
}

async function main({ check, note }) {
  const socket = await measure('plain', SOCKETS, false);
  check(socket < 6000, `about ${Math.round(socket)} B a socket, JavaScript user data and all (${SOCKETS} sockets)`);
  const subscription = (await measure('subscriptions', SUBSCRIBERS, true)) / TOPICS;
  check(
    subscription < 600,
    `about ${Math.round(subscription)} B a subscription (${SUBSCRIBERS} sockets x ${TOPICS} topics)`,
  );

  const order = {};
  for (const kind of ['send-then-subscribe', 'subscribe-then-send', 'subscribe-then-pieces']) {
    order[kind] = (await measure(kind, SNAPSHOT_SOCKETS, true)) / 1024;
    note(
      `${kind}: ${Math.round(order[kind])} KiB kept a socket after a snapshot of ${SNAPSHOT_BYTES / 1024} KiB was read`,
    );
  }
  const grown = order['subscribe-then-send'] - order['send-then-subscribe'];
  check(grown > 100, `a large send to a socket that is already subscribed keeps ${Math.round(grown)} KiB more`);
  check(order['subscribe-then-pieces'] < order['subscribe-then-send'] / 2, 'pieces under 16 KiB do not');

  const under = (await measure('batch-under-16-KiB', SOCKETS, true)) / 1024;
  const over = (await measure('batch-over-16-KiB', SOCKETS, true)) / 1024;
  check(
    over - under > 8,
    `so does a batch of one turn over 16 KiB: ${over.toFixed(1)} KiB kept a socket after 10 x 3000 B, ${under.toFixed(1)} after 5 x 3000 B`,
  );
}

if (process.argv[2]) await child(process.argv[2]);
else await probe('memory: a socket, a subscription, and the buffer that a large send leaves grown', main);
