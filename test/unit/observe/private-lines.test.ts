/** R71: with a journal, log lines have its pseudonyms in place of users and addresses, in the order in which they were logged. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/observe/log.js';
import { PrivateLines } from '../../../src/observe/private-lines.js';
import type { Named } from '../../../src/observe/private-text.js';

const pseudonym = ([kind, text]: Named) => `${kind[0]}_${text.length}`;

function setUp() {
  const written: Record<string, unknown>[] = [];
  const lines = new PrivateLines({ write: text => void written.push(JSON.parse(text)) });
  const log = createLogger('info', 'node', lines);
  const asked: (readonly Named[])[] = [];
  const answers: (() => void)[] = [];
  const connect = () =>
    lines.connect(names => {
      asked.push(names);
      return new Promise(resolve => answers.push(() => resolve(names.map(pseudonym))));
    });
  const messages = () => written.map(({ msg }) => msg);
  return { written, messages, lines, log, asked, answers, connect };
}

/** Lets what was asked, and its answer, run. */
const turn = () => vi.advanceTimersByTimeAsync(1);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('private log lines (R71)', () => {
  it('name users and addresses by the journal’s pseudonyms, asked for several lines at once', async () => {
    const { log, connect, asked, answers, written } = setUp();
    connect();
    log.info({ connection: 'c', address: '192.0.2.1', user: 'alice' }, 'client connected');
    log.warn({ author: 'carol', to: { user: 'bob' }, reason: 'test' }, 'operator order');
    await turn();
    expect(asked).toEqual([
      [
        ['address', '192.0.2.1'],
        ['user', 'alice'],
        ['user', 'carol'],
        ['user', 'bob'],
      ],
    ]);
    answers[0]?.();
    await turn();
    expect(written).toMatchObject([
      { event: 'client_connected', connection: 'c', address: 'a_9', user: 'u_5' },
      { author: 'u_5', to: { user: 'u_3' }, reason: 'test' },
    ]);
  });

  it.each([
    ['a subject', { subject: 'orders.alice' }, { subject: 'orders.u_5' }],
    ['a subject below a prefix', { subject: 'md.deadletter.orders.alice.b' }, { subject: 'md.deadletter.orders.u_7' }],
    ['a topic with blanks', { to: { topic: 'orders:alice b' } }, { to: { topic: 'orders:u_7' } }],
    [
      'the words of a server',
      { detail: `Permissions Violation for Subscription to "orders.alice", and 'orders.>'` },
      { detail: `Permissions Violation for Subscription to "orders.u_5", and 'orders.>'` },
    ],
    ['a quoted topic', { detail: "no view of 'orders:al ice' here" }, { detail: "no view of 'orders:u_6' here" }],
    ['an error', { err: new Error('orders.alice: refused') }, { err: { message: 'orders.u_5: refused' } }],
    ['a refusal', { reason: 'not entitled to orders of al ice' }, { reason: 'not entitled to orders of u_6' }],
    ['a pseudonym', { users: ['u_0123456789abcdefghij_-', 'alice'] }, { users: ['u_0123456789abcdefghij_-', 'u_5'] }],
    ['all users', { subject: 'orders.*' }, { subject: 'orders.*' }],
    ['no user', { author: 'token', detail: 'the orders. All of them' }, { author: 'token' }],
  ])('find a user in %s', async (_, fields, expected) => {
    const { log, connect, answers, written } = setUp();
    connect();
    log.warn(fields, 'feed notice');
    await turn();
    answers[0]?.();
    await turn();
    expect(written).toMatchObject([expected]);
    expect(JSON.stringify(written)).not.toMatch(/al ?ice/);
  });

  it('leave those whom the line names out of its other texts, too', async () => {
    const { log, connect, answers, written } = setUp();
    connect();
    const reason = 'alice: too many from 192.0.2.1; malice and 192.0.2.10 are others';
    log.info({ user: 'alice', address: '192.0.2.1', reason }, 'client refused');
    await turn();
    answers[0]?.();
    await turn();
    expect(written).toMatchObject([{ reason: 'u_5: too many from a_9; malice and 192.0.2.10 are others' }]);
  });

  it('stay in order: a line that names nobody waits behind one that does', async () => {
    const { log, connect, answers, messages } = setUp();
    connect();
    log.info('first');
    expect(messages()).toEqual(['first']);
    log.info({ user: 'alice' }, 'second');
    log.info('third');
    await turn();
    log.info({ user: 'bob' }, 'fourth');
    expect(messages()).toEqual(['first']);
    answers[0]?.();
    await turn();
    expect(messages()).toEqual(['first', 'second', 'third']);
    answers[1]?.();
    await turn();
    expect(messages()).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('are written without names if the journal does not answer in time, also before it runs', async () => {
    const { log, connect, answers, written } = setUp();
    log.info({ user: 'alice' }, 'before');
    await vi.advanceTimersByTimeAsync(1_000);
    connect();
    log.info({ user: 'bob' }, 'slow');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(written).toMatchObject([{ user: 'unavailable' }, { user: 'unavailable' }]);
    // A late answer is not that of another line.
    log.info({ user: 'carol-2' }, 'later');
    await turn();
    answers[0]?.();
    await turn();
    expect(written).toHaveLength(2);
    answers[1]?.();
    await turn();
    expect(written[2]).toMatchObject({ user: 'u_7' });
  });

  it('are asked for again when another thread takes over', async () => {
    const { log, connect, answers, written } = setUp();
    log.info({ user: 'alice' }, 'early');
    await turn();
    connect();
    await turn();
    connect();
    await turn();
    answers[0]?.();
    await turn();
    expect(written).toEqual([]);
    answers[1]?.();
    await turn();
    expect(written).toMatchObject([{ user: 'u_5' }]);
  });

  it('are all written when the process ends, and when too many wait', async () => {
    const { log, connect, lines, written } = setUp();
    connect();
    const settled = vi.fn();
    lines.settle().then(settled);
    await turn();
    expect(settled).toHaveBeenCalledTimes(1);
    log.info({ user: 'alice' }, 'last');
    lines.settle().then(settled);
    lines.flush();
    await turn();
    expect(written).toMatchObject([{ user: 'unavailable' }]);
    expect(settled).toHaveBeenCalledTimes(2);
    for (let i = 0; i < 11; i++) log.info({ user: 'alice', detail: 'x'.repeat(100_000) }, 'long');
    expect(written).toHaveLength(12);
  });
});
