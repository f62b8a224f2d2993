import { probe, RawClient, serve, until } from './probe.mjs';

await probe(
  'a DataView throws; views over a SharedArrayBuffer are taken and copied before publish returns',
  async ({ check, note }) => {
    const { app, port, sockets } = serve();
    const client = await RawClient.open(port);
    const ws = sockets[0];
    ws.subscribe('topic');

    const takes = value => {
      try {
        app.publish('topic', value, true);
        return true;
      } catch {
        return false;
      }
    };
    check(!takes(new DataView(new ArrayBuffer(4))), 'publish(DataView) throws');
    check(!takes(7), 'publish(number) throws');
    const views = {
      ArrayBuffer: new ArrayBuffer(4),
      SharedArrayBuffer: new SharedArrayBuffer(4),
      Buffer: Buffer.alloc(4),
      Int32Array: new Int32Array(1),
    };
    for (const [name, value] of Object.entries(views)) check(takes(value), `publish(${name}) is taken`);
    await until(() => client.frames.length === 4, 'four arrive');

    for (const [what, bytes] of [
      ['queued', 1000],
      ['written at once', 20_000],
    ]) {
      client.frames.length = 0;
      const slot = new Uint8Array(new SharedArrayBuffer(bytes + 8), 8, bytes);
      slot.fill(1);
      app.publish('topic', slot, true);
      slot.fill(2);
      ws.send(slot, true);
      slot.fill(3);
      await until(() => client.frames.length === 2, 'two arrive');
      const [published, sent] = client.frames;
      const is = (frame, value) => frame.length === bytes && frame.payload.every(byte => byte === value);
      check(is(published, 1), `${bytes} B (${what}): overwriting the slot after publish does not change what arrives`);
      check(is(sent, 2), `${bytes} B: nor after send`);
    }
    note('a slot of a ring may be reused as soon as publish has returned');
  },
);
