import { afterEach, describe, expect, it } from 'vitest';
import { FailoverFeed } from '../../../src/feed/failover.js';
import { HeldMessages } from '../../../src/feed/held-messages.js';
import { type FeedMessage, type FeedSink, newFeedMessage } from '../../../src/feed-contract/feed.js';
import { FeedErrors } from '../../../src/feed-contract/feed-errors.js';
import { FakeClock } from '../../support/fake-clock.js';
import { ScriptedFeed } from '../../support/scripted-feed.js';

const STALE_AFTER_MS = 1_600;

class Heard implements FeedSink {
  readonly texts: string[] = [];
  readonly statuses: string[] = [];
  readonly notices: string[] = [];
  readonly orders: string[] = [];

  message({ payload }: FeedMessage): void {
    this.texts.push(Buffer.from(payload).toString());
  }

  status(status: string, detail: string): void {
    this.statuses.push(`${status} (${detail})`);
  }

  control(subject: string): void {
    this.orders.push(subject);
  }

  notice(what: string): void {
    this.notices.push(what);
  }

  get status_(): string {
    return this.statuses.at(-1)?.split(' ')[0] ?? '';
  }
}

const feeds: FailoverFeed[] = [];
afterEach(async () => {
  for (const feed of feeds.splice(0)) await feed.stop();
});

async function started(primaries: ScriptedFeed[] = [], backups: ScriptedFeed[] = []) {
  const clock = new FakeClock();
  const heard = new Heard();
  const opened = { primary: [] as ScriptedFeed[], backup: [] as ScriptedFeed[] };
  const opener = (into: ScriptedFeed[], given: ScriptedFeed[]) => () => {
    const feed = given.shift() ?? new ScriptedFeed();
    into.push(feed);
    return feed;
  };
  const feed = new FailoverFeed({
    name: 'nats',
    openPrimary: opener(opened.primary, primaries),
    openBackup: opener(opened.backup, backups),
    staleAfterMs: STALE_AFTER_MS,
    errors: new FeedErrors(() => 0),
    clock,
  });
  feeds.push(feed);
  const outcome = await feed.start(heard);
  return {
    clock,
    heard,
    feed,
    outcome,
    primary: opened.primary.at(-1) as ScriptedFeed,
    backup: opened.backup.at(-1) as ScriptedFeed,
    opened,
  };
}

describe('R44 FailoverFeed', () => {
  it('R44 reads unnumbered messages from the primary alone', async () => {
    const { heard, primary, backup } = await started();
    for (const text of ['1', '2']) {
      primary.put(text);
      backup.put(text);
    }
    expect(heard.texts).toEqual(['1', '2']);
    expect(heard.status_).toBe('live');
  });

  it('R44 takes each numbered message once, from whichever upstream has it first, in order', async () => {
    const { heard, primary, backup, feed } = await started();
    primary.put('1', { seq: 1 });
    backup.put('1', { seq: 1 });
    backup.put('2', { seq: 2 });
    backup.put('3', { seq: 3 });
    primary.put('2', { seq: 2 });
    primary.put('3', { seq: 3 });
    primary.put('4', { seq: 4 });
    // Behind a hole of the backup's: the primary has what belongs before it.
    backup.put('6', { seq: 6 });
    primary.put('5', { seq: 5 });
    primary.put('6', { seq: 6 });
    expect(heard.texts).toEqual(['1', '2', '3', '4', '5', '6']);
    // The primary's 6 among them: the backup's waited for the 5.
    expect(feed.stats.duplicates).toBe(4);
  });

  it('R44 lets the active upstream alone begin an epoch of the publisher’s', async () => {
    const { heard, primary, backup } = await started();
    primary.put('1', { seq: 1 });
    backup.put('new 1', { seq: 1, epoch: 'e2' });
    primary.put('new 1', { seq: 1, epoch: 'e2' });
    backup.put('late', { seq: 2, epoch: 'e1' });
    backup.put('new 2', { seq: 2, epoch: 'e2' });
    expect(heard.texts).toEqual(['1', 'new 1', 'new 2']);
  });

  it('R44 switches when the primary was lost for FEED_STALE_AFTER, and hands on what the backup brought meanwhile', async () => {
    const { heard, primary, backup, clock, feed } = await started();
    primary.put('1');
    backup.put('1');
    clock.advanceMs(200);
    primary.lose();
    expect(heard.status_).toBe('stale');
    backup.put('2');
    clock.advanceMs(STALE_AFTER_MS / 2);
    backup.put('3');
    expect(heard.texts).toEqual(['1']);
    clock.advanceMs(STALE_AFTER_MS / 2 + 200);
    expect(heard.status_).toBe('failover');
    backup.put('4');
    expect(heard.texts).toEqual(['1', '2', '3', '4']);
    expect(feed.stats).toMatchObject({ active: 'backup', failovers: 1 });
  });

  it('R44 has no hole and no double in numbered messages over loss, switch and return', async () => {
    const { heard, primary, backup, clock } = await started();
    const expected: string[] = [];
    for (let seq = 1; seq <= 200; seq++) {
      expected.push(String(seq));
      const isAway = seq > 20 && seq <= 90;
      if (seq === 21) primary.lose();
      if (seq === 91) primary.comeBack();
      if (!isAway) primary.put(String(seq), { seq });
      backup.put(String(seq), { seq });
      clock.advanceMs(50);
    }
    expect(heard.texts).toEqual(expected);
    expect(heard.statuses.map(status => status.split(' ')[0])).toEqual(['live', 'stale', 'failover', 'live']);
  });

  it('R44 switches when the primary is silent while the backup delivers', async () => {
    const { heard, primary, backup, clock } = await started();
    for (let n = 0; n < 10; n++) {
      primary.put('both');
      backup.put('both');
      clock.advanceMs(100);
    }
    for (let waitedMs = 0; waitedMs < STALE_AFTER_MS - 200; waitedMs += 100) {
      backup.put('one');
      clock.advanceMs(100);
    }
    expect(heard.status_).toBe('live');
    for (let waitedMs = 0; waitedMs < 500; waitedMs += 100) {
      backup.put('one');
      clock.advanceMs(100);
    }
    expect(heard.status_).toBe('failover');
  });

  it.each([5_000, -5_000])('D10: measures silence by no clock that can be set, here by %i ms', async byMs => {
    const { feed, heard, primary, backup, clock } = await started();
    for (let n = 0; n < 10; n++) {
      primary.put('both');
      backup.put('both');
      clock.advanceMs(100);
    }
    clock.stepMs(byMs);
    backup.put('one');
    clock.advanceMs(200);
    expect(heard.status_).toBe('live');
    expect(feed.stats.upstreams.map(({ silentMs }) => silentMs !== undefined && silentMs <= 1_200)).toEqual([
      true,
      true,
    ]);
    for (let waitedMs = 0; waitedMs < STALE_AFTER_MS + 300; waitedMs += 100) {
      backup.put('one');
      clock.advanceMs(100);
    }
    expect(heard.status_).toBe('failover');
  });

  it('R44 does not leave a feed that is merely quiet, whichever upstream is a little earlier', async () => {
    const { heard, primary, backup, clock } = await started();
    for (let hour = 0; hour < 24; hour++) {
      const [first, second] = hour % 2 === 0 ? [primary, backup] : [backup, primary];
      first.put('a');
      clock.advanceMs(STALE_AFTER_MS / 4);
      second.put('a');
      clock.advanceMs(3_600_000);
    }
    expect(heard.statuses).toHaveLength(1);
    expect(heard.texts).toHaveLength(24);
  });

  it('R44 stays where it is when both are lost, and takes the first that comes back', async () => {
    const { heard, primary, backup, clock } = await started();
    primary.lose();
    backup.lose();
    clock.advanceMs(STALE_AFTER_MS * 10);
    expect(heard.status_).toBe('stale');
    backup.comeBack();
    clock.advanceMs(200);
    expect(heard.status_).toBe('failover');
    backup.lose();
    primary.comeBack();
    clock.advanceMs(STALE_AFTER_MS + 200);
    expect(heard.status_).toBe('live');
  });

  it('R44 goes back only when the primary delivers again, has done so for FEED_STALE_AFTER, and is not behind', async () => {
    const { heard, primary, backup, clock } = await started();
    primary.lose();
    clock.advanceMs(STALE_AFTER_MS + 200);
    expect(heard.status_).toBe('failover');
    primary.comeBack();
    clock.advanceMs(STALE_AFTER_MS * 3);
    expect(heard.status_, 'connected, but nothing has come yet').toBe('failover');
    primary.behindMessages = 10_000;
    for (let waitedMs = 0; waitedMs < STALE_AFTER_MS * 2; waitedMs += 100) {
      primary.put('both');
      backup.put('both');
      clock.advanceMs(100);
    }
    expect(heard.status_, 'still reading what it missed').toBe('failover');
    primary.behindMessages = 0;
    clock.advanceMs(200);
    expect(heard.status_).toBe('live');
  });

  it('R44 does not hold the sleep of its own process against the primary', async () => {
    const { heard, primary, backup, clock } = await started();
    for (let n = 0; n < 20; n++) {
      primary.put('both');
      clock.advanceMs(100);
    }
    clock.advanceMs(STALE_AFTER_MS / 2);
    backup.put('first after the sleep');
    clock.stallMs(3_600_000);
    clock.advanceMs(100);
    expect(heard.status_).toBe('live');
    primary.put('both');
    clock.advanceMs(STALE_AFTER_MS);
    expect(heard.statuses).toHaveLength(1);
  });

  it('R44 asks both for what is wanted, publishes to the active one, and takes orders from both', async () => {
    const { heard, primary, backup, clock, feed } = await started();
    await feed.follow('rooms.desk', true);
    expect([...primary.wanted, ...backup.wanted]).toEqual(['rooms.desk', 'rooms.desk']);
    await feed.publish('rooms.desk', Buffer.from('{}'), 'id', '');
    primary.lose();
    clock.advanceMs(STALE_AFTER_MS + 200);
    await feed.publish('rooms.desk', Buffer.from('{}'), 'id', '');
    expect([primary.published, backup.published]).toEqual([['rooms.desk'], ['rooms.desk']]);
    primary.sink?.control?.('control.revoke', Buffer.from('{}'));
    backup.sink?.control?.('control.drain', Buffer.from('{}'));
    expect(heard.orders).toEqual(['control.revoke', 'control.drain']);
    await feed.follow('rooms.desk', false);
    expect(primary.wanted.size + backup.wanted.size).toBe(0);
  });

  it('R44 starts without the primary, and goes to it when it can be read', async () => {
    const { heard, feed, clock, opened } = await started([new ScriptedFeed('refused'), new ScriptedFeed('refused')]);
    expect(heard.status_).toBe('failover');
    feed.follow('orders.alice', true);
    for (let n = 0; n < 100 && opened.primary.length < 3; n++) {
      clock.advanceMs(500);
      await new Promise(resolve => setImmediate(resolve));
    }
    const primary = opened.primary[2] as ScriptedFeed;
    expect([...primary.wanted]).toEqual(['orders.alice']);
    primary.put('1');
    clock.advanceMs(STALE_AFTER_MS + 200);
    expect(heard.status_).toBe('live');
    expect(heard.notices).toContain('the primary upstream cannot be read');
  });

  it('R44 starts without the backup, and not without both', async () => {
    const { heard } = await started([], [new ScriptedFeed('refused')]);
    expect(heard.status_).toBe('live');
    const { outcome } = await started([new ScriptedFeed('no a')], [new ScriptedFeed('no b')]);
    expect(outcome).toEqual({ ok: false, code: 'unreachable', detail: 'no a; nor the backup: no b' });
  });

  it('R44 stops both, and calls nobody any more', async () => {
    const { heard, feed, primary, backup, clock } = await started();
    await feed.stop();
    clock.advanceMs(STALE_AFTER_MS * 10);
    expect([primary.isStopped, backup.isStopped]).toEqual([true, true]);
    expect(clock.timerCount).toBe(0);
    expect(heard.statuses).toHaveLength(1);
  });
});

describe('R44 what is held', () => {
  it('R44 is bounded in bytes: the older half goes', () => {
    const held = new HeldMessages(1_000);
    for (let n = 0; n < 1_000; n++) held.add({ ...newFeedMessage(), seq: n, payload: new Uint8Array(100) });
    const seqs = held.takeAll().map(({ seq }) => seq);
    expect(seqs.length).toBeLessThanOrEqual(10);
    expect(seqs.length).toBeGreaterThanOrEqual(5);
    expect(seqs.at(-1)).toBe(999);
    expect(held.takeAll()).toEqual([]);
  });
});
