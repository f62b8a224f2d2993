/** The same method as batch-cost.mjs, with one JSON message published plain and compressed. */

import { clientThread } from './clients.mjs';
import { median, probe, RawClient, serve, turns, until } from './probe.mjs';
import { DEDICATED_COMPRESSOR_4KB, DISABLED, SHARED_COMPRESSOR } from './uws.mjs';

const SOCKETS = 200;
const ROUNDS = 40;
const levels = Array.from({ length: 20 }, (_, level) => [String(64_000 + level * 0.5), String((level * 7919) % 1000)]);
const json = JSON.stringify({ topic: 'book.BTC-USD', seq: 1, bids: levels, asks: levels });

await probe('compression is done again for each socket, also with publish', async ({ check, note }) => {
  /** @returns {Promise<{ microseconds: number, bytes: number }>} cost of one delivery, and its size on the wire */
  const measure = async (compression, compress, sockets = SOCKETS) => {
    const server = serve({ compression });
    const clients = await clientThread(server.port, sockets, { extensions: 'permessage-deflate' });
    await until(() => server.sockets.length === sockets, 'sockets open');
    for (const ws of server.sockets) ws.subscribe('topic');
    const costs = [];
    for (let round = 0; round < ROUNDS; round++) {
      const awaited = clients.frames() + sockets;
      await turns(2);
      const start = performance.now();
      server.app.publish('topic', json, false, compress);
      await turns(1);
      costs.push(((performance.now() - start) * 1000) / sockets);
      await until(() => clients.frames() >= awaited, 'all arrive');
    }
    const bytes = clients.bytes() / clients.frames();
    await clients.end();
    server.app.close();
    return { microseconds: median(costs), bytes };
  };

  const plain = await measure(DISABLED, false);
  const shared = await measure(SHARED_COMPRESSOR, true);
  const sharedHalf = await measure(SHARED_COMPRESSOR, true, SOCKETS / 2);
  const dedicated = await measure(DEDICATED_COMPRESSOR_4KB, true);
  note(
    `µs a delivery of ${json.length} B: ${plain.microseconds.toFixed(1)} plain, ${shared.microseconds.toFixed(1)} shared, ${dedicated.microseconds.toFixed(1)} dedicated 4 KB`,
  );
  note(
    `bytes on the wire: ${Math.round(plain.bytes)} plain, ${Math.round(shared.bytes)} shared, ${Math.round(dedicated.bytes)} dedicated`,
  );
  const ratio = shared.microseconds / plain.microseconds;
  check(
    ratio > 1.8,
    `a compressed delivery costs ${ratio.toFixed(1)} times a plain one (shared), ${(dedicated.microseconds / plain.microseconds).toFixed(1)} (dedicated)`,
  );
  const perSocket = sharedHalf.microseconds / shared.microseconds;
  check(
    perSocket > 0.5 && perSocket < 2,
    `half the sockets, the same cost each (ratio ${perSocket.toFixed(2)}): nothing is shared between them`,
  );

  const server = serve({ compression: SHARED_COMPRESSOR });
  const able = await RawClient.open(server.port, { extensions: 'permessage-deflate' });
  const unable = await RawClient.open(server.port);
  for (const ws of server.sockets) ws.subscribe('topic');
  server.app.publish('topic', json, false, true);
  await until(() => able.frames.length + unable.frames.length === 2, 'both arrive');
  check(
    able.frames[0].rsv1 && !unable.frames[0].rsv1,
    'one publish: compressed for the socket that negotiated it, plain for the one that did not',
  );
});
