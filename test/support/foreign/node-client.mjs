/** Node's own WebSocket, in a process of its own: it is behind a flag in Node 20. Reports are lines of JSON. */
import { pack, unpack } from 'msgpackr';
import { follow } from './standard-client.mjs';

const { format, ...request } = JSON.parse(process.argv[2]);
follow({
  WebSocket: globalThis.WebSocket,
  ...request,
  codec: format === 'msgpack' ? { pack, unpack } : undefined,
  report: value => process.stdout.write(`${JSON.stringify(value)}\n`),
});
