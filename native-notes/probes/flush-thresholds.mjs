/** See publish-batches.mjs for the method: what arrives while the publishing turn is held left at once. */
import { clientThread, spin } from './clients.mjs';
import { probe, serve, until } from './probe.mjs';

const SOCKETS = 3;
const HOLD_MS = 60;

await probe(
  'a payload from 16 KiB on, and the 33rd message of a turn to one socket, flush at once',
  async ({ check }) => {
    const { app, port, sockets } = serve();
    const clients = await clientThread(port, SOCKETS);
    await until(() => sockets.length === SOCKETS, 'sockets open');
    for (const ws of sockets) ws.subscribe('topic');

    /** Publishes, holds the turn, and returns how many frames per socket arrived before and after its end. */
    const round = async (count, bytes, awaited) => {
      const before = clients.frames();
      const payload = new Uint8Array(bytes);
      for (let message = 0; message < count; message++) app.publish('topic', payload, true);
      // What must come is waited for; what must not come gets a while to prove us wrong.
      const end = performance.now() + 10_000;
      if (awaited > 0) while (clients.frames() - before < awaited * SOCKETS && performance.now() < end);
      spin(HOLD_MS);
      const during = (clients.frames() - before) / SOCKETS;
      await until(() => clients.frames() - before === count * SOCKETS, 'everything arrives');
      return during;
    };

    const below = await round(1, 16 * 1024 - 1, 0);
    check(below === 0, `payload of 16383 B: ${below} frames per socket before the turn ended`);
    const at = await round(1, 16 * 1024, 1);
    check(at === 1, `payload of 16384 B: ${at} frame per socket before the turn ended`);
    const full = await round(32, 100, 0);
    check(full === 0, `32 messages: ${full} frames per socket before the turn ended`);
    const over = await round(33, 100, 32);
    check(over === 32, `33 messages: ${over} frames per socket before the turn ended`);
  },
);
