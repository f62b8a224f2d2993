/** R71: users and addresses stand in records only as pseudonyms, and erasing one's key ends that they can be attributed. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseMasterKeys, unwrapKey, wrapKey } from '../../../src/journal/privacy/key-wrap.js';
import { SubjectKeys, type SubjectKeysOptions } from '../../../src/journal/privacy/subject-keys.js';

const DAY_MS = 86_400_000;
const newKey = () => randomBytes(32).toString('hex');
const masterText = newKey();
const masters = parseMasterKeys(masterText);
const newFolder = () => mkdtempSync(join(tmpdir(), 'keys-'));
const clock = { nowMs: Date.parse('2026-11-30T12:00:00Z') };
const open = (folder: string, options: Partial<SubjectKeysOptions> = {}) =>
  new SubjectKeys({ folder, masters: () => masters, nowMs: () => clock.nowMs, ...options });
const filesOf = (folder: string) =>
  readdirSync(folder)
    .map(name => readFileSync(join(folder, name), 'utf8'))
    .join('');

describe('pseudonyms (R71)', () => {
  it('are the same for a subject that returns, also after a restart, and differ between subjects and kinds', () => {
    const folder = newFolder();
    const keys = open(folder);
    const alice = keys.pseudonym('user', 'alice');
    expect(alice).toMatch(/^u_[A-Za-z0-9_-]{22}$/);
    expect(keys.pseudonym('user', 'alice')).toBe(alice);
    expect(open(folder).pseudonym('user', 'alice')).toBe(alice);
    expect(keys.pseudonym('user', 'bob')).not.toBe(alice);
    expect(keys.pseudonym('address', 'alice')).toMatch(/^a_/);
    expect(keys.pseudonym('address', 'alice').slice(2)).not.toBe(alice.slice(2));
  });

  it('differ between installations', () => {
    const [one, other] = [open(newFolder()), open(newFolder())];
    expect(one.pseudonym('user', 'alice')).not.toBe(other.pseudonym('user', 'alice'));
  });

  it('leave no subject’s name in the files of keys, which only their owner may read', () => {
    const folder = newFolder();
    const keys = open(folder);
    keys.pseudonym('user', 'alice@example.com');
    keys.pseudonym('address', '203.0.113.7');
    keys.hold('user', 'bob@example.com', 'case 17');
    expect(filesOf(folder)).not.toMatch(/alice|bob|203\.0/);
    keys.rotate();
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o077, name).toBe(0);
  });

  it('change once the key is erased, and nothing tells the old one', () => {
    const folder = newFolder();
    const keys = open(folder);
    const before = keys.pseudonym('user', 'alice');
    const wrapped = readFileSync(join(folder, 'subjects.jsonl'), 'utf8');
    keys.pseudonym('user', 'bob');
    expect(keys.erase('user', 'alice', 0)).toEqual({ ok: true, pseudonym: before });
    expect(keys.known('user', 'alice')).toBeUndefined();
    expect(filesOf(folder)).not.toContain(wrapped.trim());
    expect(keys.pseudonym('user', 'alice')).not.toBe(before);
    expect(open(folder).known('user', 'bob')).toBe(keys.pseudonym('user', 'bob'));
    expect(keys.erase('user', 'unknown', 0)).toEqual({ ok: true, pseudonym: undefined });
  });

  it('stay while a legal hold forbids to erase them', () => {
    const folder = newFolder();
    const keys = open(folder);
    const before = keys.pseudonym('user', 'alice');
    expect(keys.hold('user', 'alice', 'case 17')).toBe(before);
    const again = open(folder);
    expect(again.erase('user', 'alice', 0)).toMatchObject({ ok: false, code: 'held' });
    expect(again.expire(Number.MAX_SAFE_INTEGER)).toBe(0);
    expect(again.pseudonym('user', 'alice')).toBe(before);
    expect(again.hold('user', 'alice', undefined)).toBe(before);
    expect(again.hold('user', 'alice', undefined)).toBeUndefined();
    expect(open(folder).erase('user', 'alice', 0)).toMatchObject({ ok: true });
  });

  it('of a subject that was not seen yet can be held', () => {
    const folder = newFolder();
    const held = open(folder).hold('user', 'carol', 'case 18');
    expect(open(folder).pseudonym('user', 'carol')).toBe(held);
    expect(open(folder).erase('user', 'carol', 0)).toMatchObject({ ok: false, code: 'held' });
  });

  it('tell by the keys alone which of several nodes’ pseudonyms are one user’s', () => {
    const [first, second] = [newFolder(), newFolder()];
    const keys = open(first);
    appendFileSync(join(second, 'index.key'), readFileSync(join(first, 'index.key')));
    const other = open(second);
    const [one, two] = [keys.pseudonym('user', 'alice'), other.pseudonym('user', 'alice')];
    expect(one).not.toBe(two);
    expect(new Map(keys.indexes('user')).get(one)).toBe(new Map(other.indexes('user')).get(two));
  });

  it('are found by the pseudonym that a record has, too', () => {
    const folder = newFolder();
    const keys = open(folder);
    const [user, address] = [keys.pseudonym('user', 'alice'), keys.pseudonym('address', '203.0.113.7')];
    expect(keys.known('address', address)).toBe(address);
    expect(keys.known('user', address)).toBeUndefined();
    expect(keys.hold('user', user, 'case 22')).toBe(user);
    expect([...open(folder).holds()]).toEqual([[user, 'case 22']]);
    expect(keys.erase('address', address, 0)).toEqual({ ok: true, pseudonym: address });
    expect(keys.hold('address', address, 'too late')).toBeUndefined();
    expect([...keys.indexes('address')]).toEqual([]);
  });

  it('beyond the most subjects have no key that is kept', () => {
    const folder = newFolder();
    const keys = open(folder, { subjectsMax: 2 });
    keys.pseudonym('user', 'alice');
    keys.pseudonym('user', 'bob');
    expect(keys.pseudonym('user', 'carol')).toMatch(/^u_[A-Za-z0-9_-]{22}$/);
    expect(keys.size).toBe(2);
    expect(keys.keyless).toBe(1);
    expect(open(folder).known('user', 'carol')).toBeUndefined();
  });
});

describe('the time for which records must be kept (R71)', () => {
  it('forbids to erase a subject for so many whole days after its last record', () => {
    const folder = newFolder();
    const keys = open(folder);
    keys.pseudonym('user', 'alice');
    clock.nowMs += 5 * DAY_MS;
    keys.pseudonym('user', 'alice');
    const detail = 'its last record is of 2026-12-05 and must be kept: it can be erased from 2026-12-16';
    expect(open(folder).erase('user', 'alice', 10)).toEqual({ ok: false, code: 'retention', detail });
    clock.nowMs += 10 * DAY_MS;
    expect(open(folder).erase('user', 'alice', 10)).toMatchObject({ ok: false });
    clock.nowMs += DAY_MS;
    expect(open(folder).erase('user', 'alice', 10)).toMatchObject({ ok: true });
  });

  it('ends with the key: subjects that no record names any longer lose theirs', () => {
    const folder = newFolder();
    const keys = open(folder);
    const firstDay = Math.floor(clock.nowMs / DAY_MS);
    keys.pseudonym('user', 'alice');
    const bob = keys.pseudonym('user', 'bob');
    keys.hold('user', 'held', 'case 19');
    expect(keys.heldSince).toBe(firstDay);
    clock.nowMs += DAY_MS;
    expect(keys.pseudonym('user', 'bob')).toBe(bob);
    expect(keys.expire(firstDay)).toBe(0);
    expect(keys.expire(firstDay + 1)).toBe(1);
    const again = open(folder);
    expect([again.known('user', 'alice'), again.known('user', 'bob')]).toEqual([undefined, bob]);
    expect(again.heldSince).toBe(firstDay);
    // A line for each subject, no longer one for each day.
    expect(readFileSync(join(folder, 'subjects.jsonl'), 'utf8').trim().split('\n')).toHaveLength(2);
  });
});

describe('two processes with the same keys (R71)', () => {
  it('give a subject that appears in both the same pseudonym, and lose none', () => {
    const folder = newFolder();
    const [one, two] = [open(folder), open(folder)];
    const names = Array.from({ length: 50 }, (_, i) => `user-${i}`);
    const pairs = names.map(name => [one.pseudonym('user', name), two.pseudonym('user', name)]);
    for (const [first, second] of pairs) expect(first).toBe(second);
    one.pseudonym('user', 'only one');
    two.pseudonym('user', 'only two');
    const third = open(folder);
    expect(third.size).toBe(52);
    expect(third.known('user', 'only one')).toBe(one.pseudonym('user', 'only one'));
  });

  it('notice what the other erased, held and wrapped, at the next refresh', () => {
    const folder = newFolder();
    let text = masterText;
    const running = open(folder, { masters: () => parseMasterKeys(text) });
    const [alice, bob] = [running.pseudonym('user', 'alice'), running.pseudonym('user', 'bob')];
    const command = open(folder);
    command.erase('user', 'alice', 0);
    command.hold('user', 'bob', 'case 20');
    running.refresh();
    expect(running.pseudonym('user', 'alice')).not.toBe(alice);
    expect(running.erase('user', 'bob', 0)).toMatchObject({ ok: false });
    const fresh = newKey();
    text = `${fresh}\n${masterText}`;
    open(folder, { masters: () => parseMasterKeys(text) }).rotate();
    text = fresh;
    running.refresh();
    expect(running.pseudonym('user', 'bob')).toBe(bob);
    running.pseudonym('user', 'dave');
    expect(open(folder, { masters: () => parseMasterKeys(fresh) }).size).toBe(3);
  });

  it('keep a subject that one adds while the other removes another', () => {
    const folder = newFolder();
    const [running, command] = [open(folder), open(folder)];
    running.pseudonym('user', 'alice');
    command.erase('user', 'alice', 0);
    // Without a refresh in between: the file was replaced.
    const carol = running.pseudonym('user', 'carol');
    const held = running.hold('user', 'dave', 'case 21');
    expect(open(folder).known('user', 'carol')).toBe(carol);
    expect(open(folder).known('user', 'dave')).toBe(held);
    expect(open(folder).known('user', 'alice')).toBeUndefined();
  });

  it('do not change the keys at once: the second is told', () => {
    const folder = newFolder();
    const keys = open(folder);
    const own = readFileSync(`/proc/${process.pid}/stat`, 'utf8');
    const started = own.slice(own.lastIndexOf(')') + 2).split(' ')[19];
    writeFileSync(join(folder, 'journal.lock'), JSON.stringify({ pid: process.pid, started }));
    expect(() => keys.erase('user', 'alice', 0)).toThrow('another process is changing the keys');
    expect(() => keys.hold('user', 'alice', 'case 23')).toThrow('another process is changing the keys');
  });

  it('give a subject another pseudonym who was erased since the last refresh, on the first record of a day', () => {
    const folder = newFolder();
    const [running, command] = [open(folder), open(folder)];
    const before = running.pseudonym('user', 'alice');
    command.refresh();
    command.erase('user', 'alice', 0);
    clock.nowMs += DAY_MS;
    const after = running.pseudonym('user', 'alice');
    expect(after).not.toBe(before);
    expect(open(folder).known('user', 'alice')).toBe(after);
  });

  it('of the lines behind a damaged one are known once it was reported', () => {
    const folder = newFolder();
    const [running, command] = [open(folder), open(folder)];
    appendFileSync(join(folder, 'subjects.jsonl'), '{"index":1}\n');
    expect(() => command.refresh()).toThrow('is damaged');
    const bob = command.pseudonym('user', 'bob');
    expect(() => running.refresh()).toThrow('is damaged');
    expect(running.known('user', 'bob')).toBe(bob);
  });
});

describe('the master key (R71)', () => {
  it('is rotated: all keys are wrapped with the first one, and the older one is no longer needed', () => {
    const folder = newFolder();
    const [old, fresh] = [newKey(), newKey()];
    const of = (text: string) => open(folder, { masters: () => parseMasterKeys(text) });
    const before = of(old).pseudonym('user', 'alice');
    const both = of(`${fresh}\n${old}\n`);
    expect(both.pseudonym('user', 'alice')).toBe(before);
    both.rotate();
    expect(of(fresh).pseudonym('user', 'alice')).toBe(before);
    expect(() => of(old)).toThrow(/is wrapped by the master key \w{8}; the file has \w{8}\. Restore/);
  });

  it('is 32 bytes in hexadecimal digits or base64', () => {
    const key = randomBytes(32);
    const texts = [key.toString('hex'), key.toString('base64'), `# the key\n\n  ${key.toString('hex')}  \n`];
    for (const text of texts) expect(parseMasterKeys(text)[0].key.equals(key)).toBe(true);
    for (const text of ['', '# none', 'abc', key.toString('hex').slice(2)]) {
      expect(() => parseMasterKeys(text)).toThrow(RangeError);
    }
  });

  it('opens a key for the use it was wrapped for only, and none that was changed', () => {
    const key = randomBytes(32);
    const wrapped = wrapKey(key, 'subject a', masters[0]);
    expect(unwrapKey(wrapped, 'subject a', masters)?.equals(key)).toBe(true);
    expect(unwrapKey(wrapped, 'subject b', masters)).toBeUndefined();
    const at = wrapped.length - 9;
    const changed = wrapped.slice(0, at) + (wrapped[at] === 'A' ? 'B' : 'A') + wrapped.slice(at + 1);
    expect(unwrapKey(changed, 'subject a', masters)).toBeUndefined();
  });

  it('is not blamed for a damaged line: its number is named, and a line that a crash has cut is left out', () => {
    const folder = newFolder();
    const alice = open(folder).pseudonym('user', 'alice');
    appendFileSync(join(folder, 'subjects.jsonl'), '{"index":"abc","key":"12');
    const keys = open(folder);
    const bob = keys.pseudonym('user', 'bob');
    expect([open(folder).known('user', 'alice'), open(folder).known('user', 'bob')]).toEqual([alice, bob]);
    appendFileSync(join(folder, 'subjects.jsonl'), '{"index":3}\n');
    expect(() => open(folder)).toThrow(/line \d is damaged/);
  });
});
