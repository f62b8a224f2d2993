/** R73 the trades of one FIX subscription: those that are not sent are announced, whatever happened to their numbering. */
import { beforeEach, expect, it } from 'vitest';
import { Entries } from '../../../../src/fix/market/entries.js';
import type { MarketRequest } from '../../../../src/fix/market/request.js';
import { Subscription } from '../../../../src/fix/market/subscription.js';
import type { FixView } from '../../../../src/fix/market/view.js';
import { FixViews } from '../../../../src/fix/market/views.js';

const REQUEST: MarketRequest = {
  id: 't',
  isSnapshot: false,
  isFull: false,
  levels: 100,
  detail: 0,
  hasBids: false,
  hasOffers: false,
  hasTrades: true,
  statistics: new Set(),
  endsWhenSlow: false,
  queue: undefined,
  symbols: ['A'],
  isResent: false,
};
const client = {
  tier: 'institutional' as const,
  owner: 0,
  delayMsOf: () => 0,
  rateClass: 0,
  level: 0,
  isPaused: false,
  journal: undefined,
  due: () => undefined,
  whole: () => expect.fail('trades have no W'),
  change: () => sent.push('X'),
  news: (_symbols: readonly string[], headline: string, text: string) => sent.push(`${headline}: ${text}`),
  ended: () => expect.fail('it does not end'),
};
let sent: string[];
let subscription: Subscription;
let view: FixView;

beforeEach(() => {
  sent = [];
  client.isPaused = false;
  subscription = new Subscription(REQUEST, 'A', client, new FixViews({ shards: 1, tell: () => {}, nowMs: () => 0 }));
  subscription.ask();
  view = subscription.views[0] as FixView;
});

const place = () => ({ epoch: view.epoch, prevSeq: view.seq - 1, seq: view.seq, checksum: undefined });

/** The view is ready behind this trade. */
function ready(epoch: string, seq: number): void {
  view.epoch = epoch;
  view.seq = seq;
  subscription.answered(view, undefined, place());
}

function trade(seq: number, epoch = view.epoch): void {
  view.epoch = epoch;
  view.seq = seq;
  subscription.event(view, new Entries(), place());
}

function resume(): void {
  client.isPaused = false;
  subscription.resumed();
}

it('R73 those of a pause are announced with their range, once', () => {
  ready('e1', 7);
  trade(8);
  client.isPaused = true;
  trade(9);
  trade(12);
  resume();
  client.isPaused = true;
  resume();
  expect(sent).toEqual(['X', 'TRADES LOST: trades 9 to 12 of A are lost (slow consumer)']);
});

it('R73 those before a subscription that began during a pause are not', () => {
  client.isPaused = true;
  ready('e1', 7);
  resume();
  expect(sent).toEqual([]);
  client.isPaused = true;
  trade(8);
  resume();
  expect(sent).toEqual(['TRADES LOST: trades 8 to 8 of A are lost (slow consumer)']);
});

it('R73 the first ones of a symbol are announced too, and no others before them', () => {
  ready('', 0);
  client.isPaused = true;
  resume();
  expect(sent).toEqual([]);
  client.isPaused = true;
  trade(1, 'e1');
  resume();
  trade(2);
  expect(sent).toEqual(['TRADES LOST: trades of A may be lost (slow consumer)', 'X']);
});

it('R73 a numbering without trades lacks none', () => {
  ready('e1', 0);
  client.isPaused = true;
  resume();
  expect(sent).toEqual([]);
});

it('R73 those of a pause in which the numbering began anew are announced without a range', () => {
  ready('e1', 700);
  client.isPaused = true;
  trade(3, 'e2');
  resume();
  expect(sent).toEqual(['TRADES LOST: trades of A may be lost (slow consumer)']);
});

it('R73 a client that holds its queue, and falls behind at the same time, learns of all of them', () => {
  ready('e1', 7);
  subscription.hold();
  trade(8);
  client.isPaused = true;
  trade(9);
  subscription.release();
  trade(10);
  resume();
  expect(sent).toEqual(['TRADES LOST: trades 8 to 10 of A are lost (slow consumer)']);
});

it('R73 a loss of an unknown number is announced as one', () => {
  ready('e1', 7);
  view.epoch = 'e2';
  view.seq = 0;
  subscription.lost(view, 0, 0, 'new_epoch');
  trade(1);
  expect(sent).toEqual(['TRADES LOST: trades of A may be lost (new_epoch)', 'X']);
});
