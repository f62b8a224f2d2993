/** R73 a FIX client whose tier changes while it gets nothing: what comes then is of its new class. */
import { expect, it } from 'vitest';
import { classNameOfLane } from '../../../../src/threads/lanes.js';
import { TestMarket } from '../../../support/fix-market.js';

const SYMBOL = 'A';

function changedTo(market: TestMarket, size: string): void {
  market.publish([['10', size]]);
  market.turn();
}

it('R73 a client that is paused when its tier changes gets one W, and then changes, of its new class', () => {
  const market = new TestMarket('institutional');
  market.publish([['10', '1']], true);
  market.subscribe('r', [SYMBOL]);
  market.turn();
  market.take();
  market.data.pause();
  market.data.recheck('retail');
  changedTo(market, '2');
  expect(market.take()).toEqual([]);
  market.data.resume(0);
  market.turn();
  expect(market.take()).toEqual([expect.stringMatching(/^35=W\|262=r\|.*\|271=2\|290=1\|814=1\|/)]);
  changedTo(market, '3');
  expect(market.take()).toEqual([expect.stringMatching(/^35=X\|262=r\|.*\|271=3\|/)]);
  const [view] = [...market.data.subscriptions()].flatMap(({ views }) => views);
  expect(classNameOfLane(view?.lane ?? 0)).toBe('100ms');
});

it('R73 a request whose queue is held when the tier changes gets a W of the new class once it is short again', () => {
  for (const action of [1, 2]) {
    const market = new TestMarket('institutional');
    market.publish([['10', '1']], true);
    market.subscribe(
      'r',
      [SYMBOL],
      [
        [812, 1],
        [815, action],
      ],
    );
    market.turn();
    market.take();
    market.depth = 2;
    market.queued();
    market.data.recheck('retail');
    changedTo(market, '2');
    expect(market.take()).toEqual([]);
    market.depth = 0;
    market.queued();
    market.turn();
    expect(market.take()).toEqual([expect.stringMatching(/^35=W\|262=r\|.*\|271=2\|290=1\|814=1\|/)]);
    changedTo(market, '3');
    expect(market.take()).toEqual([expect.stringMatching(/^35=X\|262=r\|.*\|271=3\|/)]);
  }
});
