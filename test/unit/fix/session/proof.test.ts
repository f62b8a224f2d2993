/** R70 R73 what a client has received, as far as its Heartbeats prove it. */
import { expect, it } from 'vitest';
import { TestAcceptor } from '../../../support/fix-acceptor.js';

const HEARTBEAT_MS = 30_000;

/** The TestReqID of the last TestRequest since the last call. */
const tested = (acceptor: TestAcceptor) =>
  acceptor
    .take()
    .filter(fields => fields.some(([tag, value]) => tag === 35 && value === '1'))
    .at(-1)
    ?.find(([tag]) => tag === 112)?.[1];

it('R70 R73 with a journal, a TestRequest comes at each HeartBtInt, and its answer says what was received', () => {
  const acceptor = new TestAcceptor({ asksForProof: true });
  acceptor.logOn();
  for (const seqNum of [2, 3]) {
    acceptor.pass(HEARTBEAT_MS);
    acceptor.receive('0', seqNum, [[112, tested(acceptor) ?? '']]);
  }
  const loggedOnMs = acceptor.nowMs - 2 * HEARTBEAT_MS;
  expect(acceptor.confirmed).toEqual([1, 2].map(count => (loggedOnMs + count * HEARTBEAT_MS) * 1000));
});

it('R70 R73 any other Heartbeat proves nothing', () => {
  const acceptor = new TestAcceptor({ asksForProof: true });
  acceptor.logOn();
  acceptor.receive('0', 2);
  acceptor.receive('0', 3, [[112, 'T7']]);
  expect(acceptor.confirmed).toEqual([]);
});

it('R73 without a journal, a client that sends something is not asked', () => {
  const acceptor = new TestAcceptor();
  acceptor.logOn();
  for (let seqNum = 2; seqNum < 6; seqNum++) {
    acceptor.pass(HEARTBEAT_MS / 2);
    acceptor.receive('0', seqNum);
  }
  expect(tested(acceptor)).toBeUndefined();
});
