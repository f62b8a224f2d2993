/** A reader that stalls, 100 B messages numbered from 0, and a count of what `publish`, `dropped` and the reader saw. */
import { probe, RawClient, serve, turns, until } from './probe.mjs';

const MAX_BACKPRESSURE = 64 * 1024;
const MESSAGE_BYTES = 1000;
const PER_TURN = 30;
const AFTER_FIRST_DROP_TURNS = 200;

await probe(
  'over maxBackpressure messages vanish: publish still returns true, and most losses have no `dropped` callback',
  async ({ check, note }) => {
    let callbacks = 0;
    let highest = 0;
    const { app, port, sockets } = serve({
      maxBackpressure: MAX_BACKPRESSURE,
      dropped: () => {
        callbacks++;
      },
    });
    const client = await RawClient.open(port);
    const ws = sockets[0];
    ws.subscribe('topic');
    client.pause();

    let published = 0;
    let refused = 0;
    const payload = Buffer.alloc(MESSAGE_BYTES);
    for (let after = 0; after < AFTER_FIRST_DROP_TURNS; callbacks > 0 && after++) {
      for (let message = 0; message < PER_TURN; message++) {
        payload.writeUInt32BE(published++);
        if (!app.publish('topic', payload, true)) refused++;
      }
      await turns(1);
      highest = Math.max(highest, ws.getBufferedAmount());
    }
    const status = ws.send(payload, true);
    client.resume();
    await until(() => ws.getBufferedAmount() === 0, 'the reader catches up');
    const last = 0xffffffff;
    payload.writeUInt32BE(last);
    app.publish('topic', payload, true);
    const number = frame => frame.payload.readUInt32BE(0);
    await until(() => number(client.frames.at(-1)) === last, 'the last message arrives');

    const received = client.frames.length - 1;
    const lost = published - received;
    check(refused === 0, `${published} publishes, ${published - refused} returned true`);
    check(lost > 0 && lost > 5 * callbacks, `${lost} messages lost, ${callbacks} dropped callbacks`);
    check(status === 2, `ws.send over the limit returns ${status}`);
    const numbers = client.frames.slice(0, -1).map(number);
    check(
      numbers.every((value, index) => index === 0 || value > numbers[index - 1]),
      'what arrived is in order, with holes',
    );
    const over = highest - MAX_BACKPRESSURE;
    check(over <= 2 * 16 * 1024, `the limit is soft: exceeded by ${over} B with messages of ${MESSAGE_BYTES} B`);
    note('a message that is dropped reaches the callback; what stood behind it in the same drain does not');
  },
);
