/** A stalled reader, then one that reads in sips. */
import { probe, RawClient, serve, turns, until } from './probe.mjs';

const CHUNK_BYTES = 16 * 1024 - 100;
const USER_SPACE_BYTES = 8 * 1024 * 1024;

await probe(
  'getBufferedAmount counts user space only; `drain` fires at every shrink, not only at zero',
  async ({ check, note }) => {
    /** @type {number[]} */
    const drains = [];
    const { port, sockets } = serve({
      maxBackpressure: 4 * USER_SPACE_BYTES,
      drain: ws => drains.push(ws.getBufferedAmount()),
    });
    const client = await RawClient.open(port);
    client.keepPayloads = false;
    const ws = sockets[0];
    client.pause();
    await turns(2);

    let kernel = 0;
    const chunk = new Uint8Array(CHUNK_BYTES);
    while (ws.getBufferedAmount() === 0) {
      if (ws.send(chunk, true) === 1) kernel += CHUNK_BYTES;
    }
    check(
      kernel > 64 * 1024,
      `${Math.round(kernel / 1024)} KiB were sent to a reader that reads nothing while getBufferedAmount was 0`,
    );
    while (ws.getBufferedAmount() < USER_SPACE_BYTES) ws.send(chunk, true);

    const start = ws.getBufferedAmount();
    // Reads a chunk, rests a turn: the buffer empties in many steps, and each of them calls back.
    client.tcp.on('data', () => {
      client.pause();
      setImmediate(() => client.resume());
    });
    client.resume();
    await until(() => ws.getBufferedAmount() === 0, 'the buffer drains');
    const aboveZero = drains.filter(amount => amount > 0);
    check(
      aboveZero.length > 0,
      `${drains.length} drain callbacks from ${start} B down, ${aboveZero.length} of them above zero`,
    );
    check(
      drains.every((amount, index) => index === 0 || amount < drains[index - 1]),
      'each saw less than the one before',
    );
    check(drains.at(-1) === 0, `the last saw ${drains.at(-1)}`);
    note(`first amounts seen: ${drains.slice(0, 4).join(', ')}`);
  },
);
