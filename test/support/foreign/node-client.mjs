/** Node's own WebSocket, in a process of its own: it is behind a flag in Node 20. Reports are lines of JSON. */
import { pack, Unpackr } from 'msgpackr';
import { follow } from './standard-client.mjs';

/** Whole numbers beyond 32 bits as numbers: the default is bigint. */
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });
const CODEC = { pack, unpack: bytes => unpackr.unpack(bytes) };

const { format, ...request } = JSON.parse(process.argv[2]);
follow({
  WebSocket: globalThis.WebSocket,
  ...request,
  codec: format === 'msgpack' ? CODEC : undefined,
  report: value => process.stdout.write(`${JSON.stringify(value)}\n`),
});
