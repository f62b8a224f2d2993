/**
 * A process that connects and disconnects at a steady rate, whatever becomes of it: half of its clients say goodbye, half
 * break off. It comes from several loopback addresses, so that ports in TIME_WAIT do not run out.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

interface ChurnPlan {
  readonly port: number;
  readonly perSecond: number;
  /** Paths of endpoints, one after another. */
  readonly paths: readonly string[];
}

/** Totals since the start, told every second. */
export interface ChurnTotals {
  readonly asked: number;
  readonly accepted: number;
  /** Answered with another status than 101. */
  readonly refused: number;
  /** Ended before an answer. */
  readonly failed: number;
  /** Not begun, as too many were under way. */
  readonly skipped: number;
}

const ADDRESSES = Array.from({ length: 16 }, (_, i) => `127.0.1.${i + 1}`);
const TICK_MS = 10;
const REPORT_MS = 1_000;
const UNDER_WAY_MAX = 1_000;
/** How long a client stays, at most. */
const STAY_MS_MAX = 300;
const ANSWER_TIMEOUT_MS = 10_000;
/** A close frame without a code, masked with zeros. */
const GOODBYE = Buffer.from([0x88, 0x80, 0, 0, 0, 0]);

const totals = { asked: 0, accepted: 0, refused: 0, failed: 0, skipped: 0 };
let underWay = 0;

process.once('message', (plan: ChurnPlan) => {
  const startMs = performance.now();
  let due = 0;
  setInterval(() => {
    const target = ((performance.now() - startMs) / 1000) * plan.perSecond;
    for (; due < target; due++) {
      if (underWay >= UNDER_WAY_MAX) totals.skipped++;
      else visit(plan, due);
    }
  }, TICK_MS);
  setInterval(() => process.send?.(totals), REPORT_MS);
});
process.once('disconnect', () => process.exit(0));

function visit({ port, paths }: ChurnPlan, number: number): void {
  totals.asked++;
  underWay++;
  const localAddress = ADDRESSES[number % ADDRESSES.length] ?? '127.0.0.1';
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
  let isAnswered = false;
  socket.once('connect', () => socket.write(request(paths[number % paths.length] ?? '/ws')));
  socket.once('data', (bytes: Buffer) => {
    isAnswered = true;
    if (bytes.subarray(9, 12).toString('latin1') !== '101') {
      totals.refused++;
      socket.destroy();
      return;
    }
    totals.accepted++;
    socket.resume();
    setTimeout(() => leave(socket, number % 2 === 0), Math.random() * STAY_MS_MAX);
  });
  socket.on('error', () => {
    // Followed by 'close'.
  });
  socket.once('close', () => {
    underWay--;
    if (!isAnswered) totals.failed++;
  });
}

function leave(socket: Socket, isPolite: boolean): void {
  if (isPolite) socket.end(GOODBYE);
  else socket.resetAndDestroy();
}

function request(path: string): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    '\r\n',
  ].join('\r\n');
}
