import { probe, RawClient, until } from './probe.mjs';
import { App, us_socket_local_port } from './uws.mjs';

const SMALL = 1_000;
const LARGE = 100_000;

await probe(
  'a socket has the bounds and handlers of the route whose context it is upgraded into, whatever route it came by',
  async ({ check }) => {
    const contexts = {};
    const seen = [];
    const behavior = name => ({
      idleTimeout: 32,
      open(ws) {
        seen.push(`open ${name}`);
        ws.subscribe('all');
      },
      message: (ws, message, isBinary) => ws.send(message, isBinary),
    });
    const app = App()
      .ws('/:any', {
        ...behavior('small'),
        maxPayloadLength: SMALL,
        upgrade(_, request, context) {
          contexts.small = context;
          request.setYield(true);
        },
      })
      .ws('/*', {
        ...behavior('large'),
        maxPayloadLength: LARGE,
        upgrade(response, request, context) {
          contexts.large = context;
          const key = request.getHeader('sec-websocket-key');
          response.upgrade({}, key, '', '', contexts[request.getUrl().slice(1)]);
        },
      });
    let port = 0;
    app.listen('127.0.0.1', 0, token => {
      if (token) port = us_socket_local_port(token);
    });
    for (const [name, max] of Object.entries({ small: SMALL, large: LARGE })) {
      const client = await RawClient.open(port, { path: `/${name}` });
      check(
        seen.pop() === `open ${name}`,
        `the first of two routes yields, the second upgrades: the socket is ${name}`,
      );
      app.publish('all', 'published', false);
      await until(() => client.texts().includes('published'), 'what is published comes');
      client.send(Buffer.alloc(max));
      await until(() => client.frames.some(frame => frame.length === max), 'the echo of the longest');
      client.send(Buffer.alloc(max + 1));
      await until(() => client.closed, 'the end');
      check(true, `${max} B are taken and one more ends the connection`);
    }
    const parts = await RawClient.open(port, { path: '/small' });
    const part = Buffer.concat([
      Buffer.from([0x02, 0x80 | 126, SMALL >> 8, SMALL & 255, 0, 0, 0, 0]),
      Buffer.alloc(SMALL),
    ]);
    parts.tcp.write(part);
    parts.send('still there', 9);
    await until(() => parts.frames.some(frame => frame.opcode === 10), 'the pong');
    part[0] = 0;
    parts.tcp.write(part);
    await until(() => parts.closed, 'the end');
    check(true, 'the bound holds for all frames of a message together, before its last');
  },
);
