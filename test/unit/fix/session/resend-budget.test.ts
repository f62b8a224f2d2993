/** R73 what a client asks for again, once its budget of work is used up. */
import { expect, it } from 'vitest';
import { TestAcceptor } from '../../../support/fix-acceptor.js';

/** A session that rejected three messages with the numbers 2, 3 and 4. */
function withThreeRejects(): TestAcceptor {
  const acceptor = new TestAcceptor();
  acceptor.logOn();
  for (const seqNum of [2, 3, 4]) acceptor.receive('1', seqNum);
  acceptor.take();
  return acceptor;
}

const askAgain = (acceptor: TestAcceptor, seqNum: number) =>
  acceptor.receive('2', seqNum, [
    [7, 1],
    [16, 0],
  ]);

it('R73 messages are sent again while the budget allows, and filled otherwise', () => {
  const acceptor = withThreeRejects();
  askAgain(acceptor, 5);
  expect(acceptor.takeShort([34, 36, 43])).toEqual(['4 34=1 43=Y 36=2', '3 34=2 43=Y', '3 34=3 43=Y', '3 34=4 43=Y']);
  acceptor.mayResend = false;
  askAgain(acceptor, 6);
  expect(acceptor.takeShort([34, 36, 43])).toEqual(['4 34=1 43=Y 36=5']);
  expect(acceptor.filled).toEqual([
    [1, 4],
    [1, 4],
  ]);
});
