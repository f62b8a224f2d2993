/** A browser's WebSocket, in a page that the test opens: it calls `start`, and is told through `report`. */
import { pack, Unpackr } from 'msgpackr';
import { follow } from './standard-client.mjs';

/** Whole numbers beyond 32 bits as numbers: the default is bigint. */
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });
const CODEC = { pack, unpack: bytes => unpackr.unpack(bytes) };

window.start = ({ format, ...request }) => {
  const codec = format === 'msgpack' ? CODEC : undefined;
  follow({ WebSocket, ...request, codec, report: window.report });
};
