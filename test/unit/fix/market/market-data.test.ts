/** What one FIX client is sent: its class, its end, and its queue. */
import { expect, it } from 'vitest';
import { TestMarket } from '../../../support/fix-market.js';

const SYMBOL = 'A';

it.each(['retail', 'institutional'] as const)(
  'R73 a %s client that falls behind again and again keeps its book, also in the slowest class',
  tier => {
    const market = new TestMarket(tier);
    market.publish([['10', '1']], true);
    market.subscribe('r', [SYMBOL]);
    market.turn();
    for (const level of [1, 2, 3, 3]) {
      market.data.pause();
      market.data.resume(level);
      market.turn();
    }
    for (const level of [2, 1]) {
      market.data.setLevel(level);
      market.turn();
    }
    market.take();
    market.publish([['10', '77']]);
    market.turn();
    expect(market.take()).toEqual([expect.stringMatching(/^35=X\|262=r\|.*\|270=10\|271=77\|/)]);
  },
);

it('R73 a client that is logged out because it is slow gets a last X, which changes nothing', () => {
  const market = new TestMarket('institutional');
  market.publish([['10', '1']], true);
  market.subscribe('r', [SYMBOL]);
  market.turn();
  market.take();
  market.data.overrun();
  expect(market.take()).toEqual(['35=X|262=r|268=0|813=0|814=3|']);
});

it('R73 and one that gets a whole W each time gets the last one as it stands', () => {
  const market = new TestMarket('institutional');
  market.publish([['10', '1']], true);
  market.subscribe('r', [SYMBOL], [[265, 0]]);
  market.turn();
  market.take();
  market.publish([['10', '2']]);
  market.data.pause();
  market.turn();
  market.data.overrun();
  expect(market.take()).toEqual(['35=W|262=r|55=A|268=1|269=0|270=10|271=2|290=1|814=3|']);
});
