/** What a FIX session adds to entries that were encoded once: its header, its request, and the sums. */

import { ANONYMOUS, compileEntitlements } from '../../src/auth/credential.js';
import { Entries, EntriesWriter } from '../../src/fix/market/entries.js';
import { MarketData } from '../../src/fix/market/market-data.js';
import type { MarketRequest } from '../../src/fix/market/request.js';
import { Subscription } from '../../src/fix/market/subscription.js';
import { FixViews } from '../../src/fix/market/views.js';
import { Outgoing } from '../../src/fix/session/outgoing.js';
import type { MicroCase } from './micro-case.js';

const SYMBOL = 'BTC/USDT';
const LEVELS = 3;
const WALL_MICROS = 1_790_000_000_000_000;
const EVERYTHING = compileEntitlements({
  ...ANONYMOUS,
  sub: 'desk',
  entitlements: ['quotes:*', 'trades:*', 'orderbook:*', 'depth:*'],
});

export function fixCases(): MicroCase[] {
  return [{ name: 'FIX message of a session', run: writing(), reference: stringBuilding() }];
}

function entriesOf(): Entries {
  const writer = new EntriesWriter();
  writer.begin();
  for (let level = 0; level < LEVELS; level++) {
    writer.field('279', '1');
    writer.field('269', '0');
    writer.symbol(SYMBOL);
    writer.field('270', (50_000 - level).toFixed(2));
    writer.field('271', '2.5');
    writer.count++;
  }
  const entries = new Entries();
  writer.end(entries);
  return entries;
}

function writing(): () => void {
  const session = new Outgoing('MILLRACE', { nowMs: () => 0, wallMicros: () => WALL_MICROS, send: () => undefined });
  session.targetCompId = 'CLIENT-1';
  const views = new FixViews({ shards: 1, tell: () => undefined, nowMs: () => 0 });
  const market = new MarketData({
    views,
    tier: 'institutional',
    owner: 0,
    hasSeqTags: false,
    topicsMax: 1,
    entitlements: () => EVERYTHING,
    unknown: () => [],
    budget: { charge: () => 0, owe: () => undefined, read: () => true },
    journal: undefined,
    room: () => 2 ** 20,
    begin: type => session.begin(type),
    end: () => session.end(),
    isActive: () => true,
    depth: () => 0,
  });
  const request: MarketRequest = {
    id: 'request-1',
    isSnapshot: false,
    isFull: false,
    levels: 10,
    detail: 1,
    hasBids: true,
    hasOffers: true,
    hasTrades: false,
    statistics: new Set(),
    endsWhenSlow: false,
    queue: undefined,
    symbols: [SYMBOL],
    isResent: false,
  };
  const subscription = new Subscription(request, SYMBOL, market, views);
  const entries = entriesOf();
  const place = { epoch: 'e', prevSeq: 1, seq: 2, checksum: undefined };
  return () => market.change(subscription, entries, place);
}

/** The same message put together as text. */
function stringBuilding(): () => number {
  let seqNum = 0;
  const { bytes, end } = entriesOf();
  const fields = Buffer.from(bytes.subarray(0, end)).toString('latin1');
  const head = '49=MILLRACE\x0152=20260922-12:00:00.000\x0156=CLIENT-1\x01262=request-1\x01268=3\x01';
  return () => {
    const body = `35=X\x0134=${++seqNum}\x01${head}${fields}`;
    const message = Buffer.from(`8=FIX.4.4\x019=${body.length}\x01${body}`, 'latin1');
    let sum = 0;
    for (const byte of message) sum += byte;
    return sum & 0xff;
  };
}
