/** R73 R5 many books over a slow line: each W is requested once, as the client reads. */
import { expect, it } from 'vitest';
import { TestMarket } from '../../../support/fix-market.js';

const wholes = (market: TestMarket) => market.take().filter(message => message.startsWith('35=W|')).length;

it('R73 R5 a client whose line is full gets its W once there is room, and each of them once', () => {
  const market = new TestMarket('institutional');
  market.publish([['10', '1']], true);
  market.room = 0;
  for (const id of ['a', 'b', 'c']) market.subscribe(id, ['A']);
  market.turn();
  expect(wholes(market)).toBe(0);
  market.room = 1;
  let sent = 0;
  for (let turn = 1; turn <= 4; turn++) {
    market.data.pump();
    market.turn();
    sent += wholes(market);
  }
  expect(sent).toBe(3);
});

it('R73 R5 a client that is paused gets the rest once it has drained, in its new class', () => {
  const market = new TestMarket('institutional');
  market.publish([['10', '1']], true);
  market.room = 0;
  market.subscribe('a', ['A']);
  market.data.pause();
  market.room = 1_000_000;
  market.data.tick();
  market.turn();
  expect(wholes(market)).toBe(0);
  market.data.resume(1);
  market.turn();
  expect(market.take()).toEqual(['35=W|262=a|55=A|268=1|269=0|270=10|271=1|290=1|814=1|']);
});
