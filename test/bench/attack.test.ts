/**
 * The attacker's parts: what it sends, how it reads its answers, and what is said of the machine.
 * @module-tag slow
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Packr } from 'msgpackr';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { AnswerCounts, AnswerInspector } from '../../bench/attack/answer-inspector.js';
import { AttackConnection } from '../../bench/attack/attack-connection.js';
import { ATTACKS, planOf, titleOf } from '../../bench/attack/attacks.js';
import { limitOf, movedBy } from '../../bench/attack/limit.js';
import type { AttackPlan } from '../../bench/attack/messages.js';
import { bytesOf, prepare } from '../../bench/attack/payloads.js';
import { isDear, type MessageCost } from '../../bench/cost/meter.js';
import { unchargedAndDear } from '../../bench/cost/suite.js';
import type { LoadSocket } from '../../bench/load/load-socket.js';
import { Tally } from '../../bench/load/tally.js';
import { until } from '../support/until.js';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

describe('R40a: what an attacker sends', () => {
  it('J1 names, brackets and MessagePack as long as they are said to be', () => {
    const command = { action: 'unsubscribe', stream: 'quotes' };
    const names = bytesOf({ kind: 'names', command, member: 'symbols', prefix: 'X', count: 3 });
    expect(JSON.parse(String(names))).toEqual({ ...command, symbols: ['X0', 'X1', 'X2'] });
    expect(String(bytesOf({ kind: 'filled', head: '', fill: '[', tail: '', bytes: 5 }))).toBe('[[[[[');
    const numbers = bytesOf({ kind: 'filled', head: '{"x":[0', fill: ',1', tail: ']}', bytes: 14 });
    expect(JSON.parse(String(numbers))).toEqual({ x: [0, 1, 1] });
    expect([...bytesOf({ kind: 'msgpack', shape: 'nested', bytes: 3 })]).toEqual([0x91, 0x91, 0xc0]);
    const wide = bytesOf({ kind: 'msgpack', shape: 'wide', bytes: 40 });
    expect(wide).toHaveLength(40);
    expect(new Packr({ useRecords: false }).unpack(wide)).toEqual({ action: 'ping', x: Array(20).fill(null) });
  });

  it('R41 as many frames at once as it is told', () => {
    const blanks = { n: 0, epoch: '', since: 0 };
    const pings = prepare({ kind: 'flood', of: 'pings', count: 3 })(blanks);
    expect(pings).toHaveLength(3 * 6);
    expect([pings[0], pings[6], pings[12]]).toEqual([0x89, 0x89, 0x89]);
    expect(prepare({ kind: 'flood', of: 'messages', count: 3 })(blanks)).toHaveLength(3 * 7);
  });

  it('J1 a message beyond 64 KiB says its length in 64 bits', () => {
    const frame = Buffer.from(
      prepare({ kind: 'filled', head: '', fill: '[', tail: '', bytes: 70_000 })({ n: 0, epoch: '', since: 0 }),
    );
    expect(frame.subarray(0, 2)).toEqual(Buffer.from([0x81, 0xff]));
    expect(Number(frame.readBigUInt64BE(2))).toBe(70_000);
    expect(frame).toHaveLength(2 + 8 + 4 + 70_000);
  });

  it('J4 J7 blanks are filled in by what the connection knows', () => {
    const frame = prepare({ kind: 'text', text: '{n} {epoch} {since}' });
    const bytes = Buffer.from(frame({ n: 7, epoch: 'e1', since: 41 }));
    const mask = bytes.subarray(2, 6);
    expect(String(bytes.subarray(6).map((byte, i) => byte ^ (mask[i % 4] ?? 0)))).toBe('7 e1 41');
  });

  it('J1 to J8 each attack has a title, a user and addresses of its own', async () => {
    const titles = ATTACKS.map(titleOf);
    expect(new Set(titles).size).toBe(titles.length);
    expect(['J1', 'J2', 'J3', 'J4', 'J6', 'J7', 'J8'].filter(id => !ATTACKS.some(one => one.id === id))).toEqual([]);
    const takenBy = new Map<string, string>();
    for (const [index, attack] of ATTACKS.entries()) {
      const plan = await planOf(attack, index, 'x'.repeat(32), { topics: 8, trades: 10 });
      expect(plan.paths.some(path => path.includes('token='))).toBe(
        attack.by !== 'anonymous' || attack.name === 'upgrades with wrong tokens',
      );
      expect(plan.addresses.length).toBeGreaterThan(0);
      for (const address of plan.addresses) {
        expect(takenBy.get(address), address).toBeUndefined();
        takenBy.set(address, titleOf(attack));
      }
    }
  });
});

describe('R40a: how an attacker reads its answers', () => {
  function inspecting() {
    const counts = new AnswerCounts();
    const told: unknown[] = [];
    const inspector = new AnswerInspector(counts, { answered: (...answer) => told.push(answer) });
    return { counts, told, inspect: (bytes: Uint8Array) => inspector.inspect(0, bytes, 0, bytes.length) };
  }

  it('counts answers, errors by code and data, in JSON', () => {
    const { counts, told, inspect } = inspecting();
    for (const frame of [
      { type: 'ack', id: 'error' },
      { type: 'error', id: 1, code: 'rate_limited', message: 'no', retry_after_ms: 250 },
      { type: 'error', code: 'invalid_json', message: 'no' },
      { type: 'quotes_patch', operations: [] },
    ]) {
      inspect(Buffer.from(JSON.stringify(frame)));
    }
    expect(counts).toMatchObject({ accepted: 1, frames: 4, refused: { rate_limited: 1, invalid_json: 1 } });
    expect(told).toEqual([
      [undefined, undefined],
      ['rate_limited', 250],
      ['invalid_json', undefined],
    ]);
  });

  it('the same in MessagePack', () => {
    const packr = new Packr({ useRecords: false });
    const { counts, inspect } = inspecting();
    inspect(packr.pack({ type: 'pong', time: 'now' }));
    inspect(packr.pack({ type: 'error', code: 'payload_too_large', message: 'no' }));
    expect(counts).toMatchObject({ accepted: 1, frames: 2, refused: { payload_too_large: 1 } });
  });
});

describe('R40a: a connection of an attacker', () => {
  /** A server that answers each message as `answer` says. */
  async function connecting(plan: Partial<AttackPlan>, answer: (text: string, socket: WebSocket) => void) {
    const http: Server = createServer();
    const server = new WebSocketServer({ server: http });
    const got: string[] = [];
    server.on('connection', socket => {
      socket.on('message', data => {
        got.push(String(data));
        answer(String(data), socket);
      });
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    ends.push(() => {
      for (const client of server.clients) client.terminate();
      http.close();
    });
    const whole = { connections: 1, addresses: [], paths: ['/ws'], prelude: [], messages: [], perSecond: 0, ...plan };
    const connection: AttackConnection = new AttackConnection(0, {
      plan: whole,
      prelude: whole.prelude.map(prepare),
      messages: whole.messages.map(prepare),
      counts: new AnswerCounts(),
      context: {
        host: '127.0.0.1',
        port: (http.address() as AddressInfo).port,
        tally: new Tally(undefined),
        inspector: undefined,
        buffer: new Uint8Array(4096),
        lost: (_socket: LoadSocket) => connection.lost(),
      },
    });
    ends.push(() => connection.end());
    return { connection, got };
  }

  it('J4 asks since a place that its prelude was answered with', async () => {
    const answer = (_: string, socket: WebSocket) =>
      socket.send('{"type":"subscribed","positions":{"trades:T":{"epoch":"e7","seq":50}}}');
    const { connection, got } = await connecting(
      {
        prelude: [{ kind: 'text', text: 'subscribe' }],
        messages: [{ kind: 'text', text: '{epoch} {since}' }],
        sinceBack: 20,
      },
      answer,
    );
    await connection.open();
    connection.send(0);
    await until(() => got.length === 2);
    expect(got).toEqual(['subscribe', 'e7 30']);
  });

  it('R41 waits as long as it is told to, for its answers, and not at all once it is closed', async () => {
    const { connection, got } = await connecting(
      {
        messages: [
          { kind: 'text', text: 'limit' },
          { kind: 'text', text: 'close' },
        ],
        unansweredMax: 1,
      },
      (text, socket) => {
        if (text === 'close') socket.close(4029);
        else socket.send('{"type":"error","code":"rate_limited","retry_after_ms":60000}');
      },
    );
    await connection.open();
    expect(connection.canSend(performance.now())).toBe(true);
    connection.send(0);
    // Not before it is answered, and then not before a minute has passed.
    expect(connection.canSend(Number.MAX_SAFE_INTEGER)).toBe(false);
    await until(() => connection.canSend(performance.now() + 61_000));
    expect(connection.canSend(performance.now())).toBe(false);
    connection.send(1);
    await until(() => got.length === 2);
    await until(() => !connection.canSend(Number.MAX_SAFE_INTEGER));
  });
});

describe('R40a: what was the limit', () => {
  it.each([
    ['a thread of the gateway is busy', { busiestGatewayThread: 0.9, attackerLoop: 1, machine: 2 }, 'gateway'],
    ['no core is left', { busiestGatewayThread: 0.5, attackerLoop: 1, machine: 1.9 }, 'machine'],
    ['the attacker can send no more', { busiestGatewayThread: 0.5, attackerLoop: 0.95, machine: 1.2 }, 'attacker'],
    ['there is room', { busiestGatewayThread: 0.5, attackerLoop: 0.2, machine: 1.2 }, 'none'],
  ])('%s', (_what, usage, limit) => {
    expect(limitOf(usage, 2)).toBe(limit);
  });

  it('the others’ p99 counts against quiet, or against a server that does nothing where that is worse', () => {
    expect(movedBy({ quiet: 2, nullServer: 1, attacked: 6 })).toBe(3);
    expect(movedBy({ quiet: 2, nullServer: 4, attacked: 6 })).toBe(1.5);
    expect(movedBy({ quiet: 2, nullServer: Number.NaN, attacked: 6 })).toBe(3);
    expect(movedBy({ quiet: 2, nullServer: 1, attacked: Number.NaN })).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('R40a: what a message may cost for which nothing is charged', () => {
  const cost = (more: Partial<MessageCost>): MessageCost => ({
    name: 'one',
    messages: 10,
    rateLimited: 0,
    isCharged: false,
    bytesIn: 100,
    bytesOut: 100,
    micros: 100,
    busiestMicros: 100,
    busiestShare: 0.1,
    ...more,
  });

  it.each([
    ['2 ms, small', { busiestMicros: 2000 }, false],
    ['more than 2 ms, small', { busiestMicros: 2100 }, true],
    ['2 ms per kB', { busiestMicros: 20_000, bytesIn: 10_000 }, false],
    ['more than 2 ms per kB', { busiestMicros: 21_000, bytesIn: 10_000 }, true],
    ['50 bytes a byte', { bytesOut: 5000 }, false],
    ['more than 50 bytes a byte', { bytesOut: 5001 }, true],
  ])('%s', (_what, more, dear) => {
    expect(isDear(cost(more))).toBe(dear);
  });

  it('is exceeded where each round exceeds it, and none was charged', () => {
    const dear = cost({ busiestMicros: 9000 });
    const found = unchargedAndDear(
      new Map([
        ['dear', [dear, dear]],
        ['dear once', [dear, cost({})]],
        ['charged', [dear, { ...dear, isCharged: true }]],
      ]),
    );
    expect(found).toEqual(['dear: 9.00 ms per kB, 1.0 bytes a byte']);
  });
});
