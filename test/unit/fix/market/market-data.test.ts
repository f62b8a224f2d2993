/** What one FIX client is sent: its class, its end, and its queue. */
import { describe, expect, it } from 'vitest';
import { leavingUnits, topicUnits } from '../../../../src/protocol/costs.js';
import { TestMarket } from '../../../support/fix-market.js';
import type { Fields } from '../../../support/fix-wire.js';

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

const changedTo = (market: TestMarket, ...sizes: string[]): void => {
  for (const size of sizes) {
    market.publish([['10', size]]);
    market.turn();
  }
};

it.each([
  [1, ['35=W|262=r|55=A|268=1|269=0|270=10|271=4|290=1|814=1|']],
  [2, ['35=X|262=r|268=1|279=1|269=0|55=A|270=10|271=4|813=2|814=2|']],
])('R73 while more than 812 messages wait, ApplQueueAction %i sends nothing, and then once', (action, once) => {
  const market = new TestMarket('institutional');
  market.publish([['10', '1']], true);
  market.subscribe(
    'r',
    [SYMBOL],
    [
      [812, 4],
      [815, action],
    ],
  );
  market.turn();
  market.take();
  market.depth = 4;
  expect(market.queued()).toBeUndefined();
  changedTo(market, '2');
  expect(market.take()).toHaveLength(1);
  market.depth = 5;
  expect(market.queued()).toBeUndefined();
  changedTo(market, '3', '4');
  market.depth = 3;
  expect(market.queued()).toBeUndefined();
  market.turn();
  expect(market.take()).toEqual([]);
  market.depth = 2;
  expect(market.queued()).toBeUndefined();
  market.turn();
  expect(market.take()).toEqual(once);
  changedTo(market, '5');
  expect(market.take()).toEqual(['35=X|262=r|268=1|279=1|269=0|55=A|270=10|271=5|']);
});

it('R73 ApplQueueAction 3 asks for a Logout once more than 812 messages wait', () => {
  const market = new TestMarket('institutional');
  market.publish([['10', '1']], true);
  market.subscribe(
    'r',
    [SYMBOL],
    [
      [812, 4],
      [815, 3],
    ],
  );
  market.turn();
  market.depth = 4;
  expect(market.queued()).toBeUndefined();
  market.depth = 5;
  expect(market.queued()).toBe('slow consumer: more than 4 messages wait (ApplQueueAction 3)');
});

it.each<[Fields, string]>([
  [[[812, 5]], '281=2|58=ApplQueueMax needs ApplQueueAction (815)|'],
  [
    [
      [812, 0],
      [815, 1],
    ],
    '281=2|58=ApplQueueMax must be 1 to 10000|',
  ],
  [
    [
      [812, 10_001],
      [815, 1],
    ],
    '281=2|58=ApplQueueMax must be 1 to 10000|',
  ],
  [[[266, 'Y']], '281=7|58=AggregatedBook is not supported: books always have one entry per price|'],
  [[[266, 'N']], '281=7|58=AggregatedBook is not supported: books always have one entry per price|'],
  [[[546, '1']], '281=A|58=Scope is not supported|'],
  [[[286, '1']], '281=B|58=OpenCloseSettlFlag is not supported|'],
  [[[547, 'Y']], '281=C|58=MDImplicitDelete Y: each removed level is sent|'],
])('R73 a request with %j is refused', (fields, reason) => {
  const market = new TestMarket('institutional');
  market.subscribe('r', [SYMBOL], fields);
  expect(market.take()).toEqual([`35=Y|262=r|${reason}`]);
});

it('R73 a request with an MDReqID that would make each message long is refused', () => {
  const market = new TestMarket('institutional');
  market.subscribe('r'.repeat(257), [SYMBOL]);
  expect(market.take()).toEqual([expect.stringMatching(/281=2\|58=MDReqID must have at most 256 bytes\|$/)]);
});

it('R73 19a a request that may have been sent before is ignored if it was', () => {
  const market = new TestMarket('institutional');
  market.subscribe('r', [SYMBOL], [[97, 'Y']]);
  expect(market.data.topics).toBe(1);
  market.subscribe('r', [SYMBOL], [[97, 'Y']]);
  expect(market.take()).toEqual([]);
  market.subscribe('r', [SYMBOL]);
  expect(market.take()).toEqual(['35=Y|262=r|281=1|58=this MDReqID has a subscription|']);
});

it('R73 a refusal goes back by the way that the request was routed', () => {
  const market = new TestMarket('institutional');
  market.subscribe(
    'r',
    [SYMBOL],
    [
      [115, 'DESK'],
      [263, 2],
    ],
  );
  expect(market.take()).toEqual(['35=j|128=DESK|45=1|58=no subscription has this MDReqID|372=V|379=r|380=1|']);
});

it('R73 requests whose symbols are still looked up do not exceed the limit of topics together', async () => {
  const market = new TestMarket('institutional');
  market.unknown = async () => [];
  market.subscribe('a', ['A', 'B']);
  market.subscribe('b', ['A', 'B']);
  await Promise.resolve();
  await Promise.resolve();
  expect(market.take()).toEqual(['35=Y|262=b|281=2|58=at most 3 topics per session|']);
  expect(market.data.topics).toBe(2);
});

it('R73 trades in numbers that are filled while nothing is sent are announced afterwards', () => {
  const market = new TestMarket('institutional');
  market.subscribe('t', [SYMBOL], [], [2]);
  market.data.pause();
  market.data.filled();
  expect(market.take()).toEqual([]);
  market.data.resume(0);
  expect(market.take()).toEqual([expect.stringMatching(/^35=B\|148=TRADES LOST\|146=1\|55=A\|/)]);
  market.data.pause();
  market.data.resume(0);
  expect(market.take()).toEqual([]);
});

it('R73 a subscription whose entitlement ends gets a Y that says so', () => {
  const market = new TestMarket('institutional');
  market.publish([['10', '1']], true);
  market.subscribe('r', [SYMBOL]);
  market.turn();
  market.take();
  market.isEntitled = false;
  market.data.recheck('institutional');
  expect(market.take()).toEqual(['35=Y|262=r|281=3|58=A: not entitled any more|']);
});

it('R73 what was filled comes again as a W once the budget allows, and no X before it', () => {
  const market = new TestMarket('institutional');
  market.publish([['10', '1']], true);
  market.subscribe('r', [SYMBOL]);
  market.turn();
  market.take();
  market.waitMs = 100;
  market.data.filled();
  market.data.filled();
  changedTo(market, '2');
  market.data.tick();
  market.turn();
  expect(market.take()).toEqual([]);
  market.waitMs = 0;
  const before = market.charged;
  market.data.tick();
  market.turn();
  market.data.tick();
  expect(market.charged - before).toBe(topicUnits('depth', 1));
  expect(market.take()).toEqual(['35=W|262=r|55=A|268=1|269=0|270=10|271=2|290=1|']);
  changedTo(market, '3');
  expect(market.take()).toEqual([expect.stringMatching(/^35=X\|.*\|271=3\|$/)]);
});

it('R73 the end of a subscription is charged, and never refused', () => {
  const market = new TestMarket('institutional');
  market.subscribe('r', [SYMBOL]);
  const before = market.charged;
  market.waitMs = 100;
  market.subscribe('r', [SYMBOL], [[263, 2]]);
  expect(market.charged - before).toBe(leavingUnits(1));
  expect(market.data.topics).toBe(0);
  market.subscribe('s', [SYMBOL]);
  expect(market.take()).toEqual(['35=Y|262=s|281=2|58=too many requests; try again in 100 ms|']);
});

describe('R73 a book that is held back', () => {
  it('R73 is announced to a client that subscribes before there is anything of it, once', () => {
    const market = new TestMarket('institutional');
    market.holdBack();
    market.subscribe('r', [SYMBOL]);
    market.turn();
    expect(market.take()).toEqual([expect.stringMatching(/^35=B\|148=STALE\|146=1\|55=A\|/)]);
    market.subscribe('s', [SYMBOL]);
    market.turn();
    expect(market.take()).toHaveLength(1);
    market.publish([['10', '1']], true);
    market.turn();
    expect(market.take().map(message => message.slice(0, 10))).toEqual(['35=W|262=r', '35=W|262=s']);
  });

  it('R73 is announced behind the W of a client that wants it once', () => {
    const market = new TestMarket('institutional');
    market.publish([['10', '1']], true);
    market.holdBack();
    market.subscribe('r', [SYMBOL], [[263, 0]]);
    market.turn();
    expect(market.take().map(message => message.slice(0, 14))).toEqual(['35=W|262=r|55=', '35=B|148=STALE']);
    expect(market.data.topics).toBe(0);
  });

  it('R73 is not announced to a client that gets nothing, but with its next W', () => {
    const market = new TestMarket('institutional');
    market.publish([['10', '1']], true);
    market.subscribe('r', [SYMBOL]);
    market.turn();
    market.take();
    market.data.pause();
    market.holdBack();
    market.turn();
    expect(market.take()).toEqual([]);
    market.data.resume(0);
    market.turn();
    expect(market.take().map(message => message.slice(0, 14))).toEqual(['35=W|262=r|55=', '35=B|148=STALE']);
  });

  it('R73 and whole again while the thread missed it is announced to nobody who subscribes later', () => {
    const market = new TestMarket('institutional');
    market.publish([['10', '1']], true);
    market.subscribe('r', [SYMBOL]);
    market.turn();
    market.holdBack();
    market.turn();
    market.publish([['10', '2']], true);
    market.overrun();
    market.turn();
    market.take();
    market.subscribe('s', [SYMBOL]);
    market.turn();
    expect(market.take()).toEqual(['35=W|262=s|55=A|268=1|269=0|270=10|271=2|290=1|']);
  });
});

describe('R73 the chain of a book', () => {
  const places = (market: TestMarket) =>
    market
      .take()
      .map(message => [message.slice(0, 4), ...[...message.matchAll(/\|2000[123]=([^|]*)/g)].map(([, v]) => v)]);

  it('R73 has an epoch, the position that each message follows, and its own', () => {
    const market = new TestMarket('institutional', true);
    market.publish([['10', '1']], true);
    market.subscribe('r', [SYMBOL]);
    market.turn();
    changedTo(market, '2', '3');
    expect(places(market)).toEqual([
      ['35=W', 'e1', '1', '1'],
      ['35=X', 'e1', '1', '2'],
      ['35=X', 'e1', '2', '3'],
    ]);
  });

  it('R73 passes over changes that a client does not see, and starts again behind those that it missed', () => {
    const market = new TestMarket('institutional', true);
    market.publish(
      [
        ['10', '1'],
        ['9', '1'],
        ['8', '1'],
      ],
      true,
    );
    market.subscribe('r', [SYMBOL], [[264, 2]]);
    market.turn();
    market.publish([['8', '5']]);
    market.turn();
    market.publish([['9', '5']]);
    market.turn();
    expect(places(market)).toEqual([
      ['35=W', 'e1', '1', '1'],
      ['35=X', 'e1', '1', '3'],
    ]);
    market.data.pause();
    changedTo(market, '6', '7');
    market.data.resume(0);
    market.turn();
    changedTo(market, '8');
    expect(places(market)).toEqual([
      ['35=W', 'e1', '5', '5'],
      ['35=X', 'e1', '5', '6'],
    ]);
  });

  it('R73 proves a whole book, and not a part of it, by a checksum', () => {
    const market = new TestMarket('institutional', true);
    market.publish([['10', '1']], true);
    market.subscribe('all', [SYMBOL]);
    market.subscribe('two', [SYMBOL], [[264, 2]]);
    market.turn();
    changedTo(market, '2');
    const checked = market.take().map(message => [message.slice(5, 12), message.includes('|20004=')]);
    expect(checked.filter(([id]) => id === '262=all')).toEqual([
      ['262=all', true],
      ['262=all', true],
    ]);
    expect(checked.filter(([id]) => id === '262=two')).toEqual([
      ['262=two', false],
      ['262=two', false],
    ]);
  });
});
