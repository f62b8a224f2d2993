/** What becomes of messages on `control.revoke`, with a store that takes its time, or has no room. */
import { describe, expect, it } from 'vitest';
import type { Revocation } from '../../../src/auth/revocation-text.js';
import { createLogger } from '../../../src/observe/log.js';
import { ControlOrders } from '../../../src/revocation/control-orders.js';
import type { KeptIn, RevocationKeeper } from '../../../src/revocation/keeper.js';
import { until } from '../../support/until.js';

const AT_MS = Date.UTC(2026, 0, 2);

function setUp(keptIn: KeptIn | undefined = 'kv', hasRoom = true) {
  const taken: Revocation[] = [];
  const lines: string[] = [];
  const recorded: string[] = [];
  const keeper = {
    revoke: async (revocation: Revocation) => {
      taken.push(revocation);
      return hasRoom ? keptIn : undefined;
    },
    take: (revocation: Revocation) => {
      taken.push(revocation);
      return hasRoom;
    },
    expiresAtMs: ({ by, atMs }: Revocation) => (by === 'api_key' ? Number.POSITIVE_INFINITY : atMs + 1000),
  } as unknown as RevocationKeeper;
  const log = createLogger('info', 'one', { write: (line: string) => lines.push(line) });
  const orders = new ControlOrders({
    nodeName: 'one',
    log,
    record: order => recorded.push(`${order.what} ${order.user ?? order.detail} ${order.result}`),
    onDrain: () => {},
    revocations: keeper,
  });
  const payloadOf = (order: unknown) => Buffer.from(typeof order === 'string' ? order : JSON.stringify(order));
  return {
    taken,
    recorded,
    hear: (order: unknown, respond?: (answer: string) => void) =>
      orders.receive('control.revoke', payloadOf(order), respond),
    keep: (order: unknown) => orders.kept(payloadOf(order), AT_MS),
    ask: (order: unknown) =>
      new Promise<Record<string, unknown>>(resolve => {
        orders.receive('control.revoke', payloadOf(order), answer => resolve(JSON.parse(answer)));
      }),
    logged: (text: string) => lines.filter(line => line.includes(text)).length,
  };
}

describe('J5 R33 control.revoke', () => {
  it('J5 R33 is answered with what was revoked, until when, and where that is kept', async () => {
    const answer = await setUp('file').ask({ jti: 't-1', author: 'bob' });
    expect(answer).toMatchObject({ ok: true, by: 'jti', value: 't-1', stored: 'file', gateway: 'one' });
    expect(Date.parse(String(answer.expires)) - Date.parse(String(answer.at))).toBe(1000);
  });

  it('J5 R33 of a whole key is answered with its id, and without an end', async () => {
    const key = `mr_k_1_${'a'.repeat(43)}`;
    const answer = await setUp().ask({ api_key: key });
    expect(answer).toMatchObject({ ok: true, by: 'api_key', value: 'k_1' });
    expect(answer).not.toHaveProperty('expires');
    expect(JSON.stringify(answer)).not.toContain(key);
  });

  it.each([
    ['is none', {}, 'exactly one'],
    ['is no JSON', 'hello', 'exactly one'],
    ['is too long', { sub: 'alice', reason: 'x'.repeat(20_000) }, 'exactly one'],
  ])('J5 R33 that %s is answered so', async (_, order, text) => {
    const { ask, taken } = setUp();
    expect(await ask(order)).toEqual({ ok: false, error: expect.stringContaining(text), gateway: 'one' });
    expect(taken).toEqual([]);
  });

  it.each([[[{ sub: 'alice' }]], [[]], ['"alice"'], ['null'], ['7']])('O7 is no order where it is %j', order => {
    const { hear, taken, logged } = setUp();
    hear(order);
    expect(taken).toEqual([]);
    expect(logged('not a JSON object')).toBe(1);
  });

  it('J5 R33 without room is answered so, and stays at the server', async () => {
    const { ask, keep } = setUp('kv', false);
    expect(await ask({ sub: 'alice' })).toMatchObject({ ok: false, error: expect.stringContaining('no room') });
    expect(keep({ sub: 'bob' })).toBe(false);
  });

  it('J5 R33 that a server kept counts from when the server got it', () => {
    const { keep, taken, recorded } = setUp();
    expect(keep({ sub: 'alice' })).toBe(true);
    expect(recorded).toEqual(['revoke alice accepted']);
    expect(taken).toEqual([{ by: 'sub', value: 'alice', atMs: AT_MS }]);
    // It needs no room.
    expect(keep('garbage')).toBe(true);
  });

  it.each([
    ['heard first', true],
    ['kept first', false],
  ])('J5 that comes both ways takes effect twice, and is logged once: %s', async (_, isHeardFirst) => {
    const { hear, keep, taken, logged } = setUp();
    for (const order of [{ sub: 'alice' }, { sub: 'alice' }, 'garbage']) {
      if (isHeardFirst) hear(order);
      keep(order);
      if (!isHeardFirst) hear(order);
    }
    await until(() => taken.length === 4);
    expect(logged('credential revoked')).toBe(2);
    expect(logged('order ignored')).toBe(1);
  });

  it('J5 is logged with its author and reason', () => {
    const { hear, logged } = setUp();
    hear({ sub: 'alice', author: 'bob', reason: 'left the firm' });
    expect(logged('"author":"bob","reason":"left the firm"')).toBe(1);
  });
});
