/**
 * A thread that stands in for a stuck gateway thread. The kernel still hands a share of the new connections to the
 * stuck thread's listening socket, where they would wait forever. The relief answers them with 503; clients retry and
 * mostly reach another thread.
 *
 * It never closes that socket, and ends only with the process: once the stuck thread resumes and closes the socket,
 * its number may belong to another file.
 */
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { parentPort, workerData } from 'node:worker_threads';
import { listenerIn } from './listening-socket.js';
import { turnRow } from './watchdog.js';

/** The data that starts the relief. */
export interface ReliefData {
  readonly rows: SharedArrayBuffer;
  readonly worker: number;
  readonly port: number;
}

/** Whether new connections are answered now, or why not. */
export type ReliefReport = { readonly isServing: true } | { readonly isServing: false; readonly reason: string };

const RETRY_AFTER_SECONDS = 1;
const REQUEST_TIMEOUT_MS = 10_000;
const BODY = JSON.stringify({
  error: { code: 'unavailable', message: 'this gateway thread is stuck; try again' },
});
const HEADERS = {
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store',
  'Retry-After': String(RETRY_AFTER_SECONDS),
  'Content-Length': String(Buffer.byteLength(BODY)),
  Connection: 'close',
};

const report = (what: ReliefReport) => parentPort?.postMessage(what);
const { rows, worker, port } = workerData as ReliefData;
const descriptor = listenerIn(turnRow(rows, worker), port);
if (descriptor === undefined) report({ isServing: false, reason: 'its listening socket is unknown' });
else serve(descriptor);

function serve(fd: number): void {
  const server = createServer((_request, response) => response.writeHead(503, HEADERS).end(BODY));
  const lines = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}\r\n`);
  const answer = `HTTP/1.1 503 Service Unavailable\r\n${lines.join('')}\r\n${BODY}`;
  server.on('upgrade', (_request, socket: Duplex) => {
    // It may already be closed.
    socket.on('error', () => socket.destroy());
    socket.end(answer);
  });
  // Includes TLS connections: without the certificate there is no way to answer them.
  server.on('clientError', (_cause, socket) => socket.destroy());
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.on('error', cause => report({ isServing: false, reason: String(cause) }));
  server.listen({ fd }, () => report({ isServing: true }));
}
