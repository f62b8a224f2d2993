/**
 * A server that does nothing with what it gets but answer it: beside it, the same attack shows what the attacker alone
 * takes from the machine.
 */
import { App, us_socket_local_port } from '../../src/gateway/native/uws.js';
import { serve } from '../harness/channel.js';

const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;
const ANSWER = '{"type":"ack","positions":{"*":{"epoch":"none","seq":0}}}';

export type NullCommand = { readonly type: 'start' };
export type NullAnswer = { readonly type: 'started'; readonly port: number };

serve<NullCommand, NullAnswer>(
  () =>
    new Promise((resolve, reject) => {
      const app = App().ws('/*', {
        maxPayloadLength: PAYLOAD_BYTES_MAX,
        message: socket => {
          socket.send(ANSWER);
        },
      });
      app.listen('127.0.0.1', 0, listening => {
        if (listening === false) reject(new Error('no port to listen on'));
        else resolve({ type: 'started', port: us_socket_local_port(listening) });
      });
    }),
);
