import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FixCommandCounts } from '../../../src/fix/command-counts.js';
import { FixMessage } from '../../../src/fix/wire/message.js';
import type { ClientReport } from '../../../src/threads/surveillance-messages.js';

const client = { id: 7, address: '', credential: { sub: 'alice' } } as never;

function request(fields: string): FixMessage {
  const message = FixMessage.parse(new TextEncoder().encode(`35=V|${fields}`.replaceAll('|', '\u0001')));
  if (message === undefined) throw new Error(`not a message: ${fields}`);
  return message;
}

describe('FIX messages counted for surveillance (R72)', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('R72 names the topics of a request, also when it is withdrawn by its id alone', () => {
    const reports: ClientReport[] = [];
    const counts = new FixCommandCounts({
      connectionOf: id => `c-${id}`,
      post: report => reports.push(report),
      nowMicros: () => 5_000_000,
    });
    const entries = '264=0|265=1|267=2|269=0|269=2|146=1|55=AAPL|';
    counts.take(client, request(`262=r1|263=1|${entries}`));
    counts.take(client, request('262=r1|263=2|'));
    counts.take(client, request(`262=r2|263=0|${entries.replace('265=1|', '')}`));
    counts.take(client, request('262=unknown|263=2|'));
    vi.advanceTimersByTime(1_000);
    const topics = ['depth:AAPL', 'trades:AAPL'];
    expect(reports).toEqual([
      {
        type: 'behaviour',
        atMicros: 5_000_000,
        clients: [{ connection: 'c-7', user: 'alice', commands: 4, subscribed: topics, unsubscribed: topics }],
      },
    ]);
  });
});
