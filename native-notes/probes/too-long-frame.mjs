import { WebSocket } from 'ws';
import { probe, serve } from './probe.mjs';

const NATIVE_LIMIT = 64 * 1024;
const OWN_LIMIT = 16 * 1024;

await probe(
  'a frame over maxPayloadLength ends the socket without a close frame, so the gateway stops it below and says 1009',
  async ({ check }) => {
    let reason = '';
    let serverCode = 0;
    const { port } = serve({
      maxPayloadLength: NATIVE_LIMIT,
      message(ws, message) {
        if (message.byteLength > OWN_LIMIT) ws.end(1009, 'frame_too_large');
        else ws.send('fine');
      },
      close(_, code, message) {
        serverCode = code;
        reason = Buffer.from(message).toString();
      },
    });
    const send = bytes =>
      new Promise((resolve, reject) => {
        const client = new WebSocket(`ws://127.0.0.1:${port}/`);
        client.on('error', error => (error.code === 'ECONNRESET' ? undefined : reject(error)));
        client.on('open', () => client.send(new Uint8Array(bytes)));
        client.on('message', () => client.close(1000));
        client.on('close', code => resolve(code));
      });
    const fine = await send(OWN_LIMIT);
    check(fine === 1000, `${OWN_LIMIT} B: the client closes with ${fine}`);
    const above = await send(OWN_LIMIT + 1);
    check(above === 1009, `${OWN_LIMIT + 1} B, over the gateway's limit: the client sees ${above}`);
    const beyond = await send(NATIVE_LIMIT + 1);
    check(beyond === 1006, `${NATIVE_LIMIT + 1} B, over uWS's limit: the client sees ${beyond}`);
    check(serverCode === 1006, `the close handler sees ${serverCode} "${reason}"`);
  },
);
