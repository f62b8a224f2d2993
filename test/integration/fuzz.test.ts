/**
 * Generated input over real sockets and a real nats-server. By hand, for longer: `npm run fuzz -- --frames N --seed S`.
 * @module-tag slow
 */
import { describe, expect, it } from 'vitest';
import { CloseCode } from '../../src/protocol/close-code.js';
import { AnswerCheck } from '../fuzz/answers.js';
import { fuzzFeed } from '../fuzz/feed-fuzzer.js';
import { FuzzTarget } from '../fuzz/target.js';
import { fuzzWire } from '../fuzz/wire-fuzzer.js';
import { TestClient } from '../support/client.js';
import { testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const FRAMES = Number(process.env.MILLRACE_FUZZ_FRAMES ?? 100_000);
const MESSAGES = Number(process.env.MILLRACE_FUZZ_FEED_MESSAGES ?? 20_000);
const SEED = Number(process.env.MILLRACE_FUZZ_SEED ?? 1);
const ORDERS = 50_000;
const ORDERS_AT_ONCE = 500;
const TIMEOUT_MS = 240_000;

describe('R47 fuzzing', () => {
  it(
    `R47 ${FRAMES} frames over sockets (seed ${SEED}): only answers that the protocol names, nobody else hurt`,
    async () => {
      const target = await FuzzTarget.start([]);
      const answers = new AnswerCheck();
      const { url } = target.gateway;
      const result = await fuzzWire({ url, frames: FRAMES, seed: SEED, tokens: target.tokens, answers });
      const problems = [...result.problems, ...(await target.problems())];
      const code = await target.end();
      expect({ seed: SEED, problems }).toEqual({ seed: SEED, problems: [] });
      expect(result.framesSent).toBeGreaterThanOrEqual(FRAMES);
      expect(code).toBe(0);
      // It went through all of it, not past it.
      const expected = ['subscribed', 'unsubscribed', 'pong', 'ack', 'error invalid_json', 'error invalid_symbol'];
      expect(expected.filter(kind => !answers.seen.has(kind))).toEqual([]);
      expect([...answers.seen.keys()].filter(kind => kind.startsWith('close '))).not.toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    `R47 ${MESSAGES} messages over NATS (seed ${SEED}): every chain whole, nothing wrong in the log`,
    async () => {
      const symbols = ['F1', 'F2', 'F3'];
      const target = await FuzzTarget.start(symbols);
      await fuzzFeed({ nats: target.publisher.nats, messages: MESSAGES, seed: SEED, symbols });
      const rejected = await target.gateway.metrics();
      const problems = await target.problems();
      const code = await target.end();
      expect({ seed: SEED, problems }).toEqual({ seed: SEED, problems: [] });
      expect(code).toBe(0);
      // It was taken in part, and refused for many reasons.
      const reasons = [...rejected.matchAll(/millrace_feed_rejected_total\{reason="(\w+)"\} [1-9]/g)].map(
        match => match[1],
      );
      expect(reasons.length).toBeGreaterThan(5);
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    },
    TIMEOUT_MS,
  );

  it(
    `R33 R47 ${ORDERS} orders over NATS, most of them the same: the last is in effect as the first, and nothing is left`,
    async () => {
      const target = await FuzzTarget.start([]);
      const { nats } = target.publisher;
      const orders = [
        ['control.revoke', { sub: 'nobody' }],
        ['control.revoke', { jti: 'none' }],
        ['control.drain', { node: 'another' }],
        ['control.revoke', 'garbage'],
      ] as const;
      const mallory = await TestClient.connect(`${target.gateway.url}/ws?token=${await testToken({ sub: 'mallory' })}`);
      for (let n = 1; n <= ORDERS; n++) {
        const [subject, order] = orders[n % orders.length] ?? orders[0];
        nats.publish(subject, JSON.stringify(order));
        if (n % ORDERS_AT_ONCE === 0) await nats.flush();
      }
      const answer = await nats.request('control.revoke', JSON.stringify({ sub: 'mallory' }), { timeout: 30_000 });
      expect(answer.json()).toMatchObject({ ok: true, value: 'mallory' });
      await until(() => mallory.closed !== undefined);
      expect(mallory.closed).toMatchObject({ code: CloseCode.revoked });
      const kept = await target.gateway.metric('millrace_revocations');
      const problems = await target.problems();
      const code = await target.end();
      expect({ kept, problems, code }).toEqual({ kept: 3, problems: [], code: 0 });
    },
    TIMEOUT_MS,
  );
});
