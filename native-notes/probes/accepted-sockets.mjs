import { connect } from 'node:net';
import { probe, RawClient, until } from './probe.mjs';
import { App, us_socket_local_port } from './uws.mjs';

/** uWS's HTTP_TIMEOUT_S, 10 s, is counted in steps of 4 s. */
const ENDS_WITHIN_S = { min: 4, max: 16 };

await probe(
  '`filter` tells of each accepted socket and of its end, unless it was upgraded; without a request it ends within seconds',
  async ({ check, note }) => {
    const seen = [];
    const app = App();
    const accepted = (response, change) => {
      const address = [...new Uint8Array(response.getRemoteAddress())].join('.');
      seen.push(`${change} ${address}`.trim());
      if (change > 0) response.onAborted(() => seen.push('aborted'));
    };
    app.filter(accepted);
    app.ws('/ws', { idleTimeout: 32, close: () => seen.push('closed') }).any('/*', response => {
      seen.push('request');
      response.end('', true);
    });
    let port = 0;
    app.listen('127.0.0.1', 0, token => {
      if (token) port = us_socket_local_port(token);
    });
    const open = bytes => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      if (bytes !== undefined) socket.write(bytes);
      return socket;
    };
    const expect = async (what, ...wanted) => {
      await until(() => seen.length >= wanted.length, what);
      const was = seen.splice(0).join(', ');
      check(was === wanted.join(', '), `${what}: ${was}`);
    };

    const silent = open();
    await expect('accepted', '1 127.0.0.1');
    silent.destroy();
    await expect('gone without a request, its address not known any more', '-1', 'aborted');

    open('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect('answered: the handler from the time of accepting is dropped', '1 127.0.0.1', 'request', '-1');

    const upgraded = await RawClient.open(port, { path: '/ws' });
    upgraded.end();
    await expect('upgraded, then gone', '1 127.0.0.1', 'closed');

    const startMs = performance.now();
    const sockets = [open(), open('GET /'), open('GET / HTTP/1.1\r\nX: ')];
    const drip = setInterval(() => sockets[2].write('x'), 500);
    const ended = await Promise.all(
      sockets.map(socket => new Promise(resolve => socket.once('close', () => resolve(performance.now() - startMs)))),
    );
    clearInterval(drip);
    for (const [i, what] of ['silent', 'a part of a request', 'a byte twice a second'].entries()) {
      const seconds = ended[i] / 1000;
      note(`${what}: ended after ${seconds.toFixed(1)} s`);
      check(seconds > ENDS_WITHIN_S.min && seconds < ENDS_WITHIN_S.max, `${what}: ended within some ten seconds`);
    }
  },
);
