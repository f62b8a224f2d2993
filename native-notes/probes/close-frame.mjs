/** Found while writing these probes: end() sends its close frame through the same limit as any message. */
import { probe, RawClient, serve, turns, until } from './probe.mjs';

const MAX_BACKPRESSURE = 64 * 1024;
const CLOSE = 8;

await probe(
  'end() on a socket over maxBackpressure sends no close frame: the code is lost with the rest',
  async ({ check, note }) => {
    let dropped = 0;
    const { port, sockets } = serve({
      maxBackpressure: MAX_BACKPRESSURE,
      dropped: () => {
        dropped++;
      },
    });
    const chunk = new Uint8Array(8 * 1024);

    /** Stalls a reader, fills its socket up to `level`, ends it and lets the reader read the rest. */
    const endAt = async level => {
      const client = await RawClient.open(port);
      client.keepPayloads = true;
      const ws = sockets.at(-1);
      client.pause();
      await turns(2);
      let sent = 0;
      while (ws.getBufferedAmount() < level && ws.send(chunk, true) !== 2) sent++;
      const buffered = ws.getBufferedAmount();
      ws.end(4008, 'slow_consumer');
      client.resume();
      await until(() => client.closed, 'the connection ends');
      const close = client.frames.find(frame => frame.opcode === CLOSE);
      const messages = client.frames.filter(frame => frame.opcode !== CLOSE).length;
      return { buffered, sent, messages, code: close ? close.payload.readUInt16BE(0) : 'none' };
    };

    const below = await endAt(MAX_BACKPRESSURE / 2);
    check(
      below.code === 4008,
      `${below.buffered} B buffered, under the limit: close frame ${below.code}, ${below.messages} of ${below.sent} messages before it`,
    );
    const before = dropped;
    const over = await endAt(MAX_BACKPRESSURE + 1);
    check(
      over.code === 'none',
      `${over.buffered} B buffered, over it: close frame ${over.code}, ${over.messages} of ${over.sent} messages`,
    );
    check(
      dropped === before + 1,
      `and \`dropped\` was called ${dropped - before} time, with the close frame, inside end()`,
    );
    note('so a slow consumer that is to learn its code must be ended below the limit');
  },
);
