/** J10: what the command line prints may come from anywhere, and must not steer the terminal that shows it. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { runCli } from './run-cli.js';

const CLI = new URL('../../../src/cli/', import.meta.url);
/** Clears the screen, renames the window, turns the order around, ends a line, and hides. */
const HOSTILE = '\x1b[2J\x1b]0;pwned\x07\x9b31m\u202egnihton\u2066\u2028next\u200b\r\n12:00:00.000 error forged: line';
const OBEYED = /[^\P{Cc}\n]|\p{Cf}|\p{Zl}|\p{Zp}/u;

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

it('J10: only output.ts writes to the terminal', () => {
  const files = readdirSync(CLI).filter(file => file.endsWith('.ts') && file !== 'output.ts');
  const writers = files.filter(file =>
    /process\.std(out|err)\.(write|end)|console\.\w+\(/.test(readFileSync(new URL(file, CLI), 'utf8')),
  );
  expect(files.length).toBeGreaterThan(15);
  expect(writers).toEqual([]);
});

it.each([
  ['an error of the gateway', JSON.stringify({ error: { code: HOSTILE, message: HOSTILE } })],
  ['anything else', HOSTILE],
])('J10: a refused upgrade’s body, %s, is one clean line', async (_what, body) => {
  const server = createServer().listen(0, '127.0.0.1');
  ends.push(() => server.close());
  server.on('upgrade', (_request, socket) => {
    socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  });
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { code, stdout, stderr } = await runCli(['tail', 'quotes:AAPL', '--url', url]);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/HTTP 403 .*forged: line\n$/);
  expect(stderr.split('\n').length).toBe(2);
  expect(stderr).not.toMatch(OBEYED);
});

it('J10: nor does any frame of a server, its closing, or what it lacks', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  ends.push(() => server.close());
  const chain = { epoch: HOSTILE, prev_seq: 0, seq: 1 };
  const frames: readonly unknown[] = [
    { type: 'room_message', room: HOSTILE, from: HOSTILE, data: { [HOSTILE]: HOSTILE }, ...chain },
    { type: 'room_message', room: HOSTILE, from: 'a', data: HOSTILE, ...chain, prev_seq: 7, seq: 8 },
    { type: 'trade_executed', symbol: HOSTILE, trade_id: HOSTILE, price: HOSTILE, quantity: '1', ...chain },
    { type: 'order_update', user_id: HOSTILE, action: HOSTILE, order_id: HOSTILE, status: HOSTILE, ...chain },
    { type: HOSTILE, channel: HOSTILE, data: HOSTILE, ...chain },
    { type: 'orderbook_update', symbol: HOSTILE, best_bid: HOSTILE, best_ask: HOSTILE, ...chain },
    {
      type: 'quotes_patch',
      snapshot: true,
      epoch: HOSTILE,
      seqs: { [HOSTILE]: 1 },
      operations: [{ op: 'add', path: `/quotes/${HOSTILE.replaceAll('/', '~1')}`, value: { [HOSTILE]: HOSTILE } }],
    },
    {
      type: 'quotes_patch',
      symbol: HOSTILE,
      ...chain,
      prev_seq: 1,
      operations: [{ op: HOSTILE, path: `/${HOSTILE}` }],
    },
    {
      type: 'quotes_patch',
      symbol: HOSTILE,
      ...chain,
      prev_seq: 1,
      operations: [{ op: 'replace', path: '/quotes/A', value: { [HOSTILE]: HOSTILE } }],
    },
    { type: 'gap', topic: HOSTILE, from: 1, to: 2, reason: HOSTILE },
    { type: 'stale', topic: `quotes:${HOSTILE}`, since: HOSTILE, reason: HOSTILE, epoch: HOSTILE, seq: 1 },
    { type: 'error', code: HOSTILE, message: HOSTILE },
    { type: 'warning', code: HOSTILE, message: HOSTILE },
    { type: HOSTILE },
  ];
  server.on('connection', socket => {
    for (const frame of frames) socket.send(JSON.stringify(frame));
    socket.send(`not json ${HOSTILE}`);
    socket.close(4000, HOSTILE.slice(0, 40));
  });
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { stdout, stderr } = await runCli(['tail', 'quotes:AAPL', 'rooms:desk', '--url', url]);
  expect(stdout.split('\n').length).toBeGreaterThan(5);
  expect(stderr).toMatch(/GAP /);
  expect(stderr).toMatch(/closed by the gateway: 4000/);
  for (const text of [stdout, stderr]) {
    expect(text).not.toMatch(OBEYED);
    // Each line is ours: it begins with the time that we wrote it at.
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} (?!error forged)/);
  }
});

it.each([
  ['an argument', ['tail', HOSTILE]],
  ['a subject', ['publish', `md.${HOSTILE}`, '{}']],
  ['a file that is not there', ['api-key', 'list', '--file', `/no/${HOSTILE}`]],
  ['an option', ['tail', 'quotes:A', '--format', HOSTILE]],
  ['an address', ['tail', 'quotes:A', '--url', HOSTILE]],
])('J10: an error repeats %s cleanly', async (_what, args) => {
  const { code, stdout, stderr } = await runCli(args);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr.length).toBeGreaterThan(10);
  expect(stderr).not.toMatch(OBEYED);
});
