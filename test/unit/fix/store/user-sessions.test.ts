/** R73 how many sessions of one user have numbers, and which of them make room. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Entries } from '../../../../src/fix/store/entries.js';
import { FolderEntries } from '../../../../src/fix/store/folder-entries.js';
import { MemoryEntries } from '../../../../src/fix/store/memory-entries.js';
import { NumberStore, sessionKey, UNUSED_MS } from '../../../../src/fix/store/number-store.js';
import { UserSessions } from '../../../../src/fix/store/user-sessions.js';

const MAX = 3;
const DAY_MS = 86_400_000;
const FIRST = { nextIn: 1, nextOut: 1 };
const USED = { nextIn: 5, nextOut: 9 };
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fix-users-'));
  folders.push(folder);
  return folder;
}

/** Writing takes longer than reading. */
class SlowEntries extends MemoryEntries {
  override async write(key: string, text: string): Promise<number> {
    await new Promise(resolve => setImmediate(resolve));
    return super.write(key, text);
  }
}

/** A store whose users log on with SenderCompIDs, on a clock that tests set. */
function storeOf(entries: Entries, resetTimeMs?: number) {
  const clock = { nowMs: Date.UTC(2026, 0, 15, 12) };
  const store = new NumberStore({
    entries,
    holder: 'node-1',
    nowMs: () => clock.nowMs,
    resetTimeMs,
    onLost: () => {},
    onFault: (what, cause) => expect.fail(`${what}: ${String(cause)}`),
  });
  const sessions = new UserSessions({
    entries,
    max: MAX,
    nowMs: () => clock.nowMs,
    removeSpare: key => store.removeSpare(key),
  });
  const open = async (user: string, senderCompId: string) => {
    const key = sessionKey(senderCompId, user);
    const outcome = await store.open(key, senderCompId, async () =>
      (await sessions.admit(user, key)) ? undefined : 'too many',
    );
    return outcome.ok ? outcome.numbers : outcome.code;
  };
  const use = async (user: string, senderCompId: string, numbers = USED) => {
    const opened = await open(user, senderCompId);
    await store.release(sessionKey(senderCompId, user), numbers);
    return opened;
  };
  return { clock, open, use };
}

describe('R73 beyond the SenderCompIDs that one user may have', () => {
  it.each<[string, () => Promise<Entries>]>([
    ['memory', () => Promise.resolve(new MemoryEntries())],
    ['a folder', () => FolderEntries.open(newFolder())],
  ])('R73 new ones are refused in %s; others of the user and other users are not', async (_where, newEntries) => {
    const { open, use } = storeOf(await newEntries());
    for (const id of ['A', 'B', 'C']) expect(await use('alice', id)).toEqual(FIRST);
    expect(await open('alice', 'D')).toBe('full');
    expect(await use('alice', 'A')).toEqual(USED);
    expect(await use('bob', 'D')).toEqual(FIRST);
    expect(await open('alice', 'D')).toBe('full');
  });

  it('R73 those whose numbers a reset ended make room, and the folder does not grow', async () => {
    const folder = newFolder();
    const { clock, use } = storeOf(await FolderEntries.open(folder), 0);
    for (let id = 0; id < 12; id++) {
      expect(await use('alice', `ID${id}`)).toEqual(FIRST);
      expect(readdirSync(folder).length).toBeLessThanOrEqual(MAX + 1);
      if (id % MAX === MAX - 1) clock.nowMs += DAY_MS;
    }
  });

  it('R73 those that were never used, or not for long, make room; open ones never do', async () => {
    const { clock, open, use } = storeOf(new MemoryEntries());
    await use('alice', 'NEVER', FIRST);
    await open('alice', 'OPEN');
    await use('alice', 'OLD');
    expect(await use('alice', 'D')).toEqual(FIRST);
    expect(await open('alice', 'E')).toBe('full');
    clock.nowMs += UNUSED_MS - 1;
    expect(await open('alice', 'E')).toBe('full');
    await use('alice', 'D');
    clock.nowMs += 2;
    expect(await use('alice', 'E')).toEqual(FIRST);
    expect(await use('alice', 'D')).toEqual(USED);
    expect(await open('alice', 'OLD')).toBe('full');
  });

  it('R73 one that is about to be opened does not make room', async () => {
    const { clock, open, use } = storeOf(new SlowEntries(), 0);
    for (const id of ['A', 'B', 'C']) await use('alice', id);
    clock.nowMs += DAY_MS;
    const opened = await Promise.all(['A', 'B', 'C', 'D'].map(id => open('alice', id)));
    expect(opened).toEqual([FIRST, FIRST, FIRST, 'full']);
  });

  it('R73 one whose entry is gone keeps its place while it is opened again, also against other gateways', async () => {
    const entries = new MemoryEntries();
    const clock = { nowMs: 0 };
    const sessions = () =>
      new UserSessions({ entries, max: 1, nowMs: () => clock.nowMs, removeSpare: () => Promise.resolve('absent') });
    expect(await sessions().admit('alice', 'A')).toBe(true);
    clock.nowMs += DAY_MS;
    expect(await sessions().admit('alice', 'A')).toBe(true);
    expect(await sessions().admit('alice', 'B')).toBe(false);
  });

  it('R73 many logons at once do not get past the bound', async () => {
    const { open } = storeOf(await FolderEntries.open(newFolder()));
    const opened = await Promise.all(Array.from({ length: 20 }, (_, id) => open('alice', `ID${id}`)));
    expect(opened.filter(numbers => numbers !== 'full')).toHaveLength(MAX);
  });
});
