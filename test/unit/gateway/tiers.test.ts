import { expect, test } from 'vitest';
import { laneOf } from '../../../src/threads/lanes.js';
import { OneThreadGateway } from '../../support/one-thread.js';
import { OneThreadFeed } from '../../support/one-thread-feed.js';
import { until } from '../../support/until.js';

const QUOTE = { symbol: 'A', current_price: 1 };

function publish(gateway: OneThreadGateway, price: number): void {
  const payload = Buffer.from(JSON.stringify({ ...QUOTE, current_price: price }));
  gateway.hub.message({
    subject: 'md.quotes.A',
    payload,
    tsEventMicros: 0,
    seq: 0,
    epoch: '',
    contiguous: false,
    publication: '',
    traceparent: '',
  });
}

/** Lets interest, encoder, worker and sockets run until nothing is on its way. */
async function settle(gateway: OneThreadGateway): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet = gateway.isBusy ? 0 : quiet + 1) {
    gateway.deliverInterest();
    await new Promise(resolve => setImmediate(resolve));
    gateway.encode(0);
    await new Promise(resolve => setImmediate(resolve));
    gateway.turn();
  }
}

test('R10 in every turn institutional sockets are written to before retail ones', async () => {
  const gateway = new OneThreadGateway({
    encoders: 1,
    symbols: ['A'],
    feed: new OneThreadFeed(false),
    historyBytes: 1024,
    backpressureBytes: 4096,
    isRefused: () => false,
  });
  const received: string[] = [];
  // Retail first, so that the order of connecting does not explain the result.
  const sockets = (['retail', 'institutional', 'retail', 'institutional'] as const).map(tier =>
    gateway.connect({ sub: 'alice', format: 'json', tier }, () => received.push(tier)),
  );
  for (const { session } of sockets) {
    gateway.subscriptions.subscribe(session, [{ stream: 'quotes', symbol: 'A', lane: laneOf(0, 0, 'json', false) }]);
  }
  publish(gateway, 1);
  // The snapshots: the feed takes its time to follow what is new.
  await until(async () => {
    await settle(gateway);
    return received.length === sockets.length;
  });
  for (let turn = 0; turn < 5; turn++) {
    received.length = 0;
    for (let i = 0; i < 3; i++) publish(gateway, 2 + turn * 3 + i);
    await settle(gateway);
    const third = 6;
    expect(received.slice(0, third)).toEqual(new Array(third).fill('institutional'));
    expect(received.slice(third)).toEqual(new Array(third).fill('retail'));
  }
  expect(gateway.faults).toEqual([]);
  await gateway.hub.close();
});
