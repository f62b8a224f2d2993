import { openClients, probe, serve, until } from './probe.mjs';

await probe(
  'ws.send drains the queued publishes of its socket first, so send and publish keep their order there',
  async ({ check }) => {
    const { app, port, sockets } = serve();
    const [client, other] = await openClients(port, 2);
    const [ws] = sockets;
    for (const socket of sockets) socket.subscribe('topic');

    for (let step = 0; step < 40; step++) {
      app.publish('topic', `publish ${step}`);
      ws.send(`send ${step}`);
    }
    await until(() => client.frames.length === 80 && other.frames.length === 40, 'all arrive');
    const expected = Array.from({ length: 80 }, (_, index) => `${index % 2 ? 'send' : 'publish'} ${index >> 1}`);
    check(
      client.texts().join() === expected.join(),
      'publish, send, publish, send … in one turn: 80 frames in this order',
    );
    check(
      other.texts().join() === expected.filter((_, index) => index % 2 === 0).join(),
      'the other subscriber: 40 publishes in order',
    );

    client.frames.length = 0;
    app.publish('late', 'before the subscribe');
    ws.send('snapshot');
    ws.subscribe('late');
    app.publish('late', 'delta');
    ws.unsubscribe('late');
    app.publish('late', 'after the unsubscribe');
    ws.send('end');
    await until(() => client.texts().at(-1) === 'end', 'the last arrives');
    const seen = client.texts().join(', ');
    check(seen === 'snapshot, delta, end', `publish, send, subscribe, publish, unsubscribe, publish, send: ${seen}`);

    client.frames.length = 0;
    const big = 'x'.repeat(20_000);
    app.publish('topic', 'small');
    app.publish('topic', big);
    app.publish('topic', 'small again');
    await until(() => client.frames.length === 3, 'three arrive');
    const sizes = client.frames.map(frame => frame.length).join(', ');
    check(sizes === '5, 20000, 11', `a payload over 16 KiB does not overtake the queue of its socket: ${sizes} B`);
  },
);
