/** R71: users and addresses stand in records only as pseudonyms, and erasing one's key ends that they can be attributed. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type MasterKey, parseMasterKeys, unwrapKey, wrapKey } from '../../../src/journal/privacy/key-wrap.js';
import { SubjectKeys } from '../../../src/journal/privacy/subject-keys.js';

type Masters = readonly [MasterKey, ...MasterKey[]];
const newKey = () => randomBytes(32).toString('hex');
const masters: Masters = parseMasterKeys(newKey());
const newFolder = () => mkdtempSync(join(tmpdir(), 'keys-'));
const filesOf = (folder: string) =>
  readdirSync(folder)
    .map(name => readFileSync(join(folder, name), 'utf8'))
    .join('');

describe('pseudonyms (R71)', () => {
  it('are the same for a subject that returns, also after a restart, and differ between subjects and kinds', () => {
    const folder = newFolder();
    const keys = new SubjectKeys(folder, masters);
    const alice = keys.pseudonym('user', 'alice');
    expect(alice).toMatch(/^u_[A-Za-z0-9_-]{22}$/);
    expect(keys.pseudonym('user', 'alice')).toBe(alice);
    expect(new SubjectKeys(folder, masters).pseudonym('user', 'alice')).toBe(alice);
    expect(keys.pseudonym('user', 'bob')).not.toBe(alice);
    expect(keys.pseudonym('address', 'alice')).toMatch(/^a_/);
    expect(keys.pseudonym('address', 'alice').slice(2)).not.toBe(alice.slice(2));
  });

  it('differ between installations', () => {
    const [one, other] = [new SubjectKeys(newFolder(), masters), new SubjectKeys(newFolder(), masters)];
    expect(one.pseudonym('user', 'alice')).not.toBe(other.pseudonym('user', 'alice'));
  });

  it('leave no subject’s name in the files of keys', () => {
    const folder = newFolder();
    const keys = new SubjectKeys(folder, masters);
    keys.pseudonym('user', 'alice@example.com');
    keys.pseudonym('address', '203.0.113.7');
    expect(filesOf(folder)).not.toMatch(/alice|203\.0/);
  });

  it('change once the key is erased, and nothing tells the old one', () => {
    const folder = newFolder();
    const keys = new SubjectKeys(folder, masters);
    const before = keys.pseudonym('user', 'alice');
    const wrapped = filesOf(folder);
    keys.pseudonym('user', 'bob');
    expect(keys.erase('user', 'alice')).toBeUndefined();
    expect(keys.known('user', 'alice')).toBeUndefined();
    for (const line of wrapped.split('\n').filter(text => text.startsWith('{'))) {
      expect(filesOf(folder)).not.toContain(line);
    }
    expect(keys.pseudonym('user', 'alice')).not.toBe(before);
    expect(new SubjectKeys(folder, masters).known('user', 'bob')).toBe(keys.pseudonym('user', 'bob'));
  });

  it('stay while a legal hold forbids to erase them', () => {
    const folder = newFolder();
    const keys = new SubjectKeys(folder, masters);
    const before = keys.pseudonym('user', 'alice');
    expect(keys.hold('user', 'alice', 'case 17')).toBe(true);
    const again = new SubjectKeys(folder, masters);
    expect(again.erase('user', 'alice')).toContain('case 17');
    expect(again.pseudonym('user', 'alice')).toBe(before);
    again.hold('user', 'alice', undefined);
    expect(again.erase('user', 'alice')).toBeUndefined();
    expect(again.hold('user', 'unknown', 'x')).toBe(false);
  });

  it('tell by the keys alone which of several nodes’ pseudonyms are one user’s', () => {
    const [first, second] = [newFolder(), newFolder()];
    const keys = new SubjectKeys(first, masters);
    appendFileSync(join(second, 'index.key'), readFileSync(join(first, 'index.key')));
    const other = new SubjectKeys(second, masters);
    const [one, two] = [keys.pseudonym('user', 'alice'), other.pseudonym('user', 'alice')];
    expect(one).not.toBe(two);
    expect(new Map(keys.indexes('user')).get(one)).toBe(new Map(other.indexes('user')).get(two));
  });
});

describe('the master key (R71)', () => {
  it('is rotated: all keys are wrapped with the first one, and the older one is no longer needed', () => {
    const folder = newFolder();
    const [old, fresh] = [newKey(), newKey()];
    const before = new SubjectKeys(folder, parseMasterKeys(old)).pseudonym('user', 'alice');
    const both = new SubjectKeys(folder, parseMasterKeys(`${fresh}\n${old}\n`));
    expect(both.pseudonym('user', 'alice')).toBe(before);
    both.rotate();
    expect(new SubjectKeys(folder, parseMasterKeys(fresh)).pseudonym('user', 'alice')).toBe(before);
    expect(() => new SubjectKeys(folder, parseMasterKeys(old))).toThrow('the master key does not open');
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

  it('is not blamed for a damaged line: its number is named', () => {
    const folder = newFolder();
    new SubjectKeys(folder, masters).pseudonym('user', 'alice');
    appendFileSync(join(folder, 'subjects.jsonl'), '{"index":3}\n');
    expect(() => new SubjectKeys(folder, masters)).toThrow('line 2 is damaged');
  });
});
