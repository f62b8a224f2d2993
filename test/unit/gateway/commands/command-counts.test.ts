import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CommandCounts } from '../../../../src/gateway/commands/command-counts.js';
import { ConnectionIds } from '../../../../src/gateway/model/connection-ids.js';
import type { Session } from '../../../../src/gateway/model/session.js';
import type { ClientReport } from '../../../../src/threads/surveillance-messages.js';

const session = (id: number, sub: string) => ({ id, credential: { sub } }) as Session;

describe('commands counted for surveillance (R72)', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function counts() {
    const reports: ClientReport[] = [];
    const ids = new ConnectionIds();
    const made = new CommandCounts({ ids, post: report => reports.push(report), nowMicros: () => 5_000_000 });
    return { made, reports, ids };
  }

  it('R72 posts once a second what clients sent, and nothing while they are silent', () => {
    const { made, reports, ids } = counts();
    const [alice, nobody] = [session(1, 'alice'), session(2, '')];
    made.take(alice, { action: 'subscribe', stream: 'quotes', symbols: ['A', 'B'] });
    made.take(alice, { action: 'unsubscribe', stream: 'quotes', symbol: 'A' });
    made.take(nobody, { action: 'ping' });
    made.take(nobody, { action: 'subscribe', channels: ['alerts'] });
    vi.advanceTimersByTime(1_000);
    expect(reports).toEqual([
      {
        type: 'behaviour',
        atMicros: 5_000_000,
        clients: [
          {
            connection: ids.text(1),
            user: 'alice',
            commands: 2,
            subscribed: ['quotes:A', 'quotes:B'],
            unsubscribed: ['quotes:A'],
          },
          { connection: ids.text(2), user: '', commands: 2, subscribed: ['analytics:alerts'], unsubscribed: [] },
        ],
      },
    ]);
    vi.advanceTimersByTime(10_000);
    expect(reports).toHaveLength(1);
    made.take(alice, { action: 'ping' });
    vi.advanceTimersByTime(1_000);
    expect(reports[1]?.clients).toHaveLength(1);
  });

  it('R72 names what a command without names is about', () => {
    const { made, reports } = counts();
    const alice = session(1, 'alice');
    made.take(alice, { action: 'subscribe', stream: 'orders' });
    made.take(alice, { action: 'subscribe', stream: 'trades' });
    vi.advanceTimersByTime(1_000);
    expect(reports[0]?.clients[0]?.subscribed).toEqual(['orders:alice', 'trades:*']);
  });

  it('R72 is bounded in clients and in topics', () => {
    const { made, reports } = counts();
    const symbols = Array.from({ length: 1_000 }, (_, n) => `S${n}`);
    for (let id = 0; id < 3_000; id++)
      made.take(session(id, 'alice'), { action: 'subscribe', stream: 'quotes', symbols });
    vi.advanceTimersByTime(1_000);
    expect(reports[0]?.clients).toHaveLength(2_000);
    expect(reports[0]?.clients[0]?.subscribed).toHaveLength(64);
  });
});
