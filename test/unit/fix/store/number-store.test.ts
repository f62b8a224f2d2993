import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { lastReset, nextReset } from '../../../../src/fix/store/daily-reset.js';
import type { Entries, Entry } from '../../../../src/fix/store/entries.js';
import { FolderEntries } from '../../../../src/fix/store/folder-entries.js';
import { MemoryEntries } from '../../../../src/fix/store/memory-entries.js';
import { AHEAD, HELD_MS, NumberStore, sessionKey } from '../../../../src/fix/store/number-store.js';
import { TestAcceptor } from '../../../support/fix-acceptor.js';
import { TestFixClient } from '../../../support/fix-client.js';

const KEY = sessionKey('CLIENT', 'alice');
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const folders: string[] = [];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fix-store-'));
  folders.push(folder);
  return folder;
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Entries that several gateways share, as a bucket does it. */
class SharedEntries implements Entries {
  readonly areShared = true;
  readonly #entries = new Map<string, Entry>();

  read(key: string): Promise<Entry | undefined> {
    return Promise.resolve(this.#entries.get(key));
  }

  write(key: string, text: string, revision: number | undefined): Promise<number | undefined> {
    const now = this.#entries.get(key)?.revision;
    if (now !== revision) return Promise.resolve(undefined);
    this.#entries.set(key, { text, revision: (now ?? 0) + 1 });
    return Promise.resolve((now ?? 0) + 1);
  }

  remove(key: string, revision: number): Promise<boolean> {
    if (this.#entries.get(key)?.revision !== revision) return Promise.resolve(false);
    return Promise.resolve(this.#entries.delete(key));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The same, a turn of the loop away. */
class SlowEntries extends SharedEntries {
  override async write(key: string, text: string, revision: number | undefined): Promise<number | undefined> {
    await new Promise(resolve => setImmediate(resolve));
    return super.write(key, text, revision);
  }
}

/** A store on a clock that tests set. */
function storeOf(entries: Entries, { holder = 'node-1', resetTimeMs }: { holder?: string; resetTimeMs?: number } = {}) {
  const clock = { nowMs: Date.UTC(2026, 0, 15, 12) };
  const lost: string[] = [];
  const faults: string[] = [];
  const store = new NumberStore({
    entries,
    holder,
    nowMs: () => clock.nowMs,
    resetTimeMs,
    onLost: key => lost.push(key),
    onFault: what => faults.push(what),
  });
  return { store, clock, lost, faults };
}

describe('R73 sequence numbers', () => {
  it.each<[string, () => Promise<Entries>]>([
    ['memory', () => Promise.resolve(new MemoryEntries())],
    ['a folder', () => FolderEntries.open(newFolder())],
    ['a shared bucket', () => Promise.resolve(new SharedEntries())],
  ])('R73 in %s start at 1, and continue after a release', async (_where, newEntries) => {
    const { store } = storeOf(await newEntries());
    expect(await store.open(KEY, 'CLIENT')).toEqual({ ok: true, numbers: { nextIn: 1, nextOut: 1 } });
    await store.release(KEY, { nextIn: 7, nextOut: 9 });
    expect(await store.open(KEY, 'CLIENT')).toEqual({ ok: true, numbers: { nextIn: 7, nextOut: 9 } });
  });

  it('R73 of a session that was open at a crash continue above every number that was used', async () => {
    const folder = newFolder();
    const { store } = storeOf(await FolderEntries.open(folder));
    await store.open(KEY, 'CLIENT');
    store.save(KEY, { nextIn: 5, nextOut: AHEAD / 2 + 100 });
    const stored = () => readFileSync(join(folder, `${KEY}.json`), 'utf8');
    await expect.poll(stored).toContain('"nextIn":5');
    const restarted = storeOf(await FolderEntries.open(folder)).store;
    const opened = await restarted.open(KEY, 'CLIENT');
    expect(opened.ok && opened.numbers.nextOut).toBeGreaterThan(AHEAD / 2 + 100);
  });

  it('R73 in a folder are replaced as a whole', async () => {
    const folder = newFolder();
    const { store } = storeOf(await FolderEntries.open(folder));
    await store.open(KEY, 'CLIENT');
    await store.release(KEY, { nextIn: 2, nextOut: 3 });
    expect(readdirSync(folder)).toEqual([`${KEY}.json`]);
    expect(JSON.parse(readFileSync(join(folder, `${KEY}.json`), 'utf8'))).toMatchObject({ nextIn: 2, nextOut: 3 });
  });

  it('R73 of a client that comes back at once are read after those of its last connection are written', async () => {
    const { store, clock } = storeOf(new SlowEntries());
    await store.open(KEY, 'CLIENT');
    clock.nowMs += 1000;
    store.save(KEY, { nextIn: 2, nextOut: 2 });
    const released = store.release(KEY, { nextIn: 7, nextOut: 9 });
    expect(await store.open(KEY, 'CLIENT')).toEqual({ ok: true, numbers: { nextIn: 7, nextOut: 9 } });
    await released;
  });

  it('R73 that cannot be read are unavailable, and do not start over', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, `${KEY}.json`), '{"nextIn":');
    const { store, faults } = storeOf(await FolderEntries.open(folder));
    expect(await store.open(KEY, 'CLIENT')).toMatchObject({ ok: false, code: 'unavailable' });
    expect(faults).toHaveLength(1);
  });

  it('R73 of a session that ended while they could not be written are those that it ended with', async () => {
    const entries = new SharedEntries();
    const { store, faults } = storeOf(entries);
    await store.open(KEY, 'CLIENT');
    const write = entries.write.bind(entries);
    entries.write = () => Promise.reject(new Error('no space'));
    // Further than the entry is ahead of its session.
    await store.release(KEY, { nextIn: 9, nextOut: 3 * AHEAD });
    expect(faults).toEqual(['cannot write sequence numbers']);
    expect(await store.open(KEY, 'CLIENT')).toMatchObject({ ok: false, code: 'unavailable' });
    entries.write = write;
    expect(await store.open(KEY, 'CLIENT')).toEqual({ ok: true, numbers: { nextIn: 9, nextOut: 3 * AHEAD } });
  });

  it('R73 of a session whose folder went away are those that it ended with, once there is a folder again', async () => {
    const folder = newFolder();
    const { store, faults } = storeOf(await FolderEntries.open(folder));
    await store.open(KEY, 'CLIENT');
    rmSync(folder, { recursive: true });
    await store.release(KEY, { nextIn: 9, nextOut: 100 });
    expect(await store.open(KEY, 'CLIENT')).toMatchObject({ ok: false, code: 'unavailable' });
    expect(faults).toHaveLength(2);
    mkdirSync(folder);
    expect(await store.open(KEY, 'CLIENT')).toEqual({ ok: true, numbers: { nextIn: 9, nextOut: 100 } });
  });

  it('R73 of such a session are not used once another gateway has them', async () => {
    const entries = new SharedEntries();
    const one = storeOf(entries);
    await one.store.open(KEY, 'CLIENT');
    const write = entries.write.bind(entries);
    entries.write = () => Promise.reject(new Error('no route'));
    await one.store.release(KEY, { nextIn: 9, nextOut: 100 });
    entries.write = write;
    const other = storeOf(entries, { holder: 'node-2' });
    other.clock.nowMs += HELD_MS;
    one.clock.nowMs += HELD_MS;
    expect(await other.store.open(KEY, 'CLIENT')).toMatchObject({ ok: true });
    await other.store.release(KEY, { nextIn: 40, nextOut: 50 });
    expect(await one.store.open(KEY, 'CLIENT')).toEqual({ ok: true, numbers: { nextIn: 40, nextOut: 50 } });
  });

  it('R73 are held by one gateway at a time, until it releases them', async () => {
    const entries = new SharedEntries();
    const [one, other] = [storeOf(entries), storeOf(entries, { holder: 'node-2' })];
    await one.store.open(KEY, 'CLIENT');
    expect(await other.store.open(KEY, 'CLIENT')).toMatchObject({ ok: false, code: 'held' });
    await one.store.release(KEY, { nextIn: 4, nextOut: 5 });
    expect(await other.store.open(KEY, 'CLIENT')).toEqual({ ok: true, numbers: { nextIn: 4, nextOut: 5 } });
  });

  it('R73 of a gateway that is gone may be taken after a while, and it learns of that if it comes back', async () => {
    const entries = new SharedEntries();
    const [one, other] = [storeOf(entries), storeOf(entries, { holder: 'node-2' })];
    await one.store.open(KEY, 'CLIENT');
    other.clock.nowMs += HELD_MS + 1;
    expect(await other.store.open(KEY, 'CLIENT')).toMatchObject({ ok: true });
    one.clock.nowMs += HELD_MS;
    one.store.save(KEY, { nextIn: 2, nextOut: 2 });
    await expect.poll(() => one.lost).toEqual([KEY]);
  });

  it('R73 of a session that is used stay with their gateway', async () => {
    const entries = new SharedEntries();
    const [one, other] = [storeOf(entries), storeOf(entries, { holder: 'node-2' })];
    await one.store.open(KEY, 'CLIENT');
    for (let second = 0; second < 60; second++) {
      one.clock.nowMs += 1000;
      one.store.save(KEY, { nextIn: 2, nextOut: 2 });
      await Promise.resolve();
      await new Promise(resolve => setImmediate(resolve));
    }
    other.clock.nowMs = one.clock.nowMs;
    expect(await other.store.open(KEY, 'CLIENT')).toMatchObject({ ok: false, code: 'held' });
  });

  it('R73 start over once a day', async () => {
    const resetTimeMs = 5 * MINUTE_MS;
    const { store, clock } = storeOf(new MemoryEntries(), { resetTimeMs });
    await store.open(KEY, 'CLIENT');
    await store.release(KEY, { nextIn: 7, nextOut: 9 });
    clock.nowMs += DAY_MS / 2;
    expect(await store.open(KEY, 'CLIENT')).toMatchObject({ numbers: { nextIn: 7, nextOut: 9 } });
    await store.release(KEY, { nextIn: 8, nextOut: 10 });
    clock.nowMs += 6 * MINUTE_MS;
    expect(await store.open(KEY, 'CLIENT')).toMatchObject({ numbers: { nextIn: 1, nextOut: 1 } });
  });

  it('R73 know the reset before and after a moment', () => {
    const midday = Date.UTC(2026, 0, 15, 12);
    const atFive = 5 * 60 * MINUTE_MS;
    expect(new Date(lastReset(midday, atFive)).toISOString()).toBe('2026-01-15T05:00:00.000Z');
    expect(new Date(nextReset(midday, atFive)).toISOString()).toBe('2026-01-16T05:00:00.000Z');
    expect(new Date(lastReset(midday, 20 * 60 * MINUTE_MS)).toISOString()).toBe('2026-01-14T20:00:00.000Z');
    expect(nextReset(midday, undefined)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('R73 24 hours of a session in simulated time', () => {
  it('R73 survive reconnects, a gap an hour and the daily reset', async () => {
    const resetTimeMs = 21 * 60 * MINUTE_MS;
    const { store, clock } = storeOf(new MemoryEntries(), { resetTimeMs });
    let acceptor = new TestAcceptor();
    const client = new TestFixClient(
      () => clock.nowMs,
      bytes => acceptor.session.receive(bytes),
    );
    const connect = async () => {
      acceptor = new TestAcceptor();
      acceptor.nowMs = clock.nowMs;
      const opened = await store.open(KEY, 'CLIENT');
      if (!opened.ok) throw new Error(opened.detail);
      acceptor.numbers = opened.numbers;
      client.logOn();
      carry();
    };
    const carry = () => {
      for (let { sent } = acceptor; sent !== ''; { sent } = acceptor) {
        acceptor.sent = '';
        client.receive(sent);
      }
    };
    await connect();
    let [logons, resets] = [1, 0];
    let reset = nextReset(clock.nowMs, resetTimeMs);
    for (let second = 0; second < 24 * 3600; second++) {
      clock.nowMs += 1000;
      acceptor.nowMs = clock.nowMs;
      acceptor.session.tick();
      client.tick();
      // Once an hour a message is lost, and the next one shows it.
      if (second % 3600 === 1800) acceptor.session.begin('B').field(148, 'lost');
      if (second % 3600 === 1800) {
        acceptor.session.end();
        acceptor.sent = '';
      }
      carry();
      if (clock.nowMs >= reset) {
        acceptor.session.leave('daily reset');
        carry();
        client.send('5');
        await store.release(KEY, acceptor.session.numbers);
        [client.nextIn, client.nextOut] = [1, 1];
        reset = nextReset(clock.nowMs, resetTimeMs);
        resets++;
        await connect();
      } else if (second % 7200 === 7199) {
        await store.release(KEY, acceptor.session.numbers);
        logons++;
        await connect();
      }
      expect(acceptor.closed).toBeUndefined();
    }
    expect([logons, resets]).toEqual([13, 1]);
    expect(acceptor.session.numbers).toEqual({ nextIn: client.nextOut, nextOut: client.nextIn });
    // A heartbeat of each side every five seconds, since the reset nine hours ago.
    expect(client.nextIn).toBeGreaterThan((15 * 3600) / 5 - 100);
    expect(client.nextIn).toBeLessThan((24 * 3600) / 5);
  });
});
