/** A browser's WebSocket, in a page that the test opens: it calls `start`, and is told through `report`. */
import { pack, unpack } from 'msgpackr';
import { follow } from './standard-client.mjs';

window.start = ({ format, ...request }) => {
  const codec = format === 'msgpack' ? { pack, unpack } : undefined;
  follow({ WebSocket, ...request, codec, report: window.report });
};
