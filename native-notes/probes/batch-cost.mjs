/**
 * What a delivery costs the publishing thread, by how many messages leave in one turn. Rough: the readers are a thread on
 * the same machine. The time runs from the publishes, made in setImmediate, to the next setImmediate: between them lies
 * the flush, and nothing else to do.
 */
import { clientThread } from './clients.mjs';
import { median, probe, serve, turns, until } from './probe.mjs';

const SOCKETS = 500;
const MESSAGE_BYTES = 100;
const ROUNDS = 40;

await probe('a delivery gets cheaper with the size of the batch it leaves in', async ({ check, note }) => {
  const { app, port, sockets } = serve();
  const clients = await clientThread(port, SOCKETS);
  await until(() => sockets.length === SOCKETS, 'sockets open');
  for (const ws of sockets) ws.subscribe('topic');
  const payload = new Uint8Array(MESSAGE_BYTES);

  /** Median cost of one delivery in µs. */
  const cost = async batch => {
    const costs = [];
    for (let round = 0; round < ROUNDS; round++) {
      const awaited = clients.frames() + batch * SOCKETS;
      await turns(2);
      const start = performance.now();
      for (let message = 0; message < batch; message++) app.publish('topic', payload, true);
      await turns(1);
      costs.push(((performance.now() - start) * 1000) / (batch * SOCKETS));
      await until(() => clients.frames() >= awaited, 'all arrive');
    }
    return median(costs);
  };
  await cost(8);
  const one = await cost(1);
  const eight = await cost(8);
  const full = await cost(32);
  note(
    `µs a delivery of ${MESSAGE_BYTES} B to ${SOCKETS} sockets: ${one.toFixed(2)} alone, ${eight.toFixed(2)} in batches of 8, ${full.toFixed(2)} of 32`,
  );
  check(one / eight > 2, `alone costs ${(one / eight).toFixed(1)} times a batch of 8`);
  check(one / full > 4, `alone costs ${(one / full).toFixed(1)} times a batch of 32`);
});
