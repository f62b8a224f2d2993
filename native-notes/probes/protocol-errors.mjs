import { connect } from 'node:net';
import { probe, serve } from './probe.mjs';

const HEAD =
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const NO_MASK = [0, 0, 0, 0];
const text = (...bytes) => [0x81, 0x80 | bytes.length, ...NO_MASK, ...bytes];
const close = code => [0x88, 0x82, ...NO_MASK, code >> 8, code & 0xff];

await probe(
  'a frame against the protocol drops the connection, with what that turn would have answered; uncommon close codes are not given back',
  async ({ check }) => {
    const { port } = serve({ message: ws => ws.send('answer') });
    /** What the server sends behind its 101, until the connection ends or nothing more comes. */
    const talk = bytes =>
      new Promise(resolve => {
        const socket = connect(port, '127.0.0.1');
        let answer = Buffer.alloc(0);
        let isOpen = false;
        socket.on('error', () => undefined);
        socket.on('data', chunk => {
          answer = Buffer.concat([answer, chunk]);
          if (isOpen || !answer.includes('\r\n\r\n')) return;
          isOpen = true;
          answer = answer.subarray(answer.indexOf('\r\n\r\n') + 4);
          socket.write(Uint8Array.from(bytes));
        });
        socket.on('close', () => resolve(answer));
        socket.write(HEAD);
      });
    for (const [what, frame] of [
      ['a reserved opcode', [0x83, 0x80, ...NO_MASK]],
      ['reserved bits', [0xf1, 0x80, ...NO_MASK]],
      ['text that is no UTF-8', text(0xff)],
    ]) {
      const answer = await talk([...text(0x61), ...frame]);
      check(answer.length === 0, `a message and ${what} in one read: ${answer.length} B come back`);
    }
    for (const code of [1000, 1011, 4000, 4999]) {
      const answer = await talk(close(code));
      check(answer.equals(Buffer.from([0x88, 2, code >> 8, code & 0xff])), `close ${code} is given back`);
    }
    for (const code of [999, 1005, 1012, 2999, 3000, 3999, 5000]) {
      const answer = await talk(close(code));
      check(answer.equals(Buffer.from([0x88, 0])), `close ${code} is answered by a close without a code`);
    }
  },
);
