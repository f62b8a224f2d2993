import { createRequire } from 'node:module';
import fc from 'fast-check';
import { applyPatch, createPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import { applyOperations, DOCUMENT_SIZE_MAX, isBounded, NESTING_MAX } from '../../../src/client/operations.js';

/** One record of github.com/json-patch/json-patch-tests. */
interface SuiteCase {
  readonly comment?: string;
  readonly doc?: unknown;
  readonly patch?: readonly unknown[];
  readonly expected?: unknown;
  readonly error?: string;
  readonly disabled?: boolean;
}

const require = createRequire(import.meta.url);
const suite = ['tests.json', 'spec_tests.json'].flatMap(file =>
  (require(`json-patch-test-suite/${file}`) as readonly SuiteCase[]).map((record, at) => ({
    ...record,
    name: `${file} ${at}: ${record.comment ?? record.error ?? JSON.stringify(record.patch)}`,
  })),
);
/** Members that come twice in the text are gone once it is parsed, so these cases say nothing about an object. */
const cases = suite.filter(
  ({ patch, error, disabled }) => patch !== undefined && !(disabled === true && error !== undefined),
);

/** What a document becomes: it is a member of another one, so that an operation may replace it whole. */
type Result = { readonly ok: true; readonly document: unknown } | { readonly ok: false; readonly reason: string };

function applied(document: unknown, operations: readonly unknown[]): Result {
  const holder = { root: structuredClone(document) };
  const within = operations.map(operation => {
    const isNested = typeof operation === 'object' && operation !== null && 'path' in operation;
    const path = isNested ? operation.path : undefined;
    const isPointer = typeof path === 'string' && /^(\/|$)/.test(path);
    return isPointer ? { ...(operation as object), path: `/root${path}` } : operation;
  });
  const reason = applyOperations(holder, within, () => true);
  return reason === undefined ? { ok: true, document: holder.root } : { ok: false, reason };
}

const SENT = new Set<unknown>(['add', 'remove', 'replace']);
/** True where a gateway would never send the patch: a value is moved, copied or tested. */
const isForeign = (patch: readonly unknown[]) => !patch.every(item => SENT.has((item as { op?: unknown }).op));
/** What it leaves is a document that holds nothing, which a member cannot show. */
const takesAll = (patch: readonly unknown[]) =>
  patch.some(item => (item as { op?: unknown }).op === 'remove' && (item as { path?: unknown }).path === '');

describe('R34 the JSON Patch test suite', () => {
  it('is there whole', () => {
    expect(suite.length).toBe(95);
    expect(cases.length).toBe(93);
    expect(cases.filter(({ patch = [] }) => !isForeign(patch) && !takesAll(patch)).length).toBeGreaterThan(50);
  });

  it.each(cases)('$name', ({ doc, patch = [], expected, error }) => {
    const result = applied(doc, patch);
    if (error !== undefined || isForeign(patch)) expect(result.ok).toBe(false);
    else if (expected === undefined) expect(result.ok).toBe(true);
    else expect(result).toEqual({ ok: true, document: expected });
  });
});

describe('R34 operations', () => {
  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'J12: never reach an object’s %s',
    token => {
      for (const path of [`/${token}`, `/${token}/polluted`, `/a/${token}/polluted`]) {
        for (const op of ['add', 'replace', 'remove']) {
          // As a member of its own it is one like any other, but what an object inherits is never led through.
          const isOwn = op === 'add' && path === `/${token}` && token !== '__proto__';
          expect(applied({ a: {} }, [{ op, path, value: 'x' }]).ok, `${op} ${path}`).toBe(isOwn);
        }
      }
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
      expect(Object.hasOwn(Object, 'polluted') || Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
    },
  );

  it.each(['constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'])(
    'D17: take a member called %s as any other, nested too',
    token => {
      const operations = [
        { op: 'add', path: `/${token}`, value: { [token]: { a: 1 } } },
        { op: 'add', path: `/${token}/${token}/b`, value: [2] },
        { op: 'replace', path: `/${token}/${token}/a`, value: 3 },
        { op: 'add', path: '/other', value: { [token]: 4, a: 5 } },
        { op: 'remove', path: `/other/${token}` },
      ];
      expect(applied({}, operations)).toEqual({
        ok: true,
        document: { [token]: { [token]: { a: 3, b: [2] } }, other: { a: 5 } },
      });
      expect(applied({}, [{ op: 'replace', path: `/${token}`, value: 1 }]).ok).toBe(false);
    },
  );

  it('refuse a value with a prototype of its own', () => {
    const operations = JSON.parse('[{"op":"add","path":"/a","value":{"b":[{"__proto__":{"polluted":1}}]}}]');
    expect(applied({}, operations)).toEqual({ ok: false, reason: 'operation 0: __proto__ is not allowed as a member' });
  });

  it('do not see what an object inherits', () => {
    expect(applied({}, [{ op: 'remove', path: '/hasOwnProperty' }]).ok).toBe(false);
    expect(applied({}, [{ op: 'add', path: '/toString', value: 1 }])).toEqual({ ok: true, document: { toString: 1 } });
  });

  it('copy what they add, so that the frame stays as it came', () => {
    const frame = [
      { op: 'add', path: '/a', value: { b: [1] } },
      { op: 'add', path: '/a/b/-', value: 2 },
    ];
    expect(applied({}, frame)).toEqual({ ok: true, document: { a: { b: [1, 2] } } });
    expect(frame[0]?.value).toEqual({ b: [1] });
  });

  it.each([
    ['a lone tilde', [{ op: 'add', path: '/~', value: 1 }]],
    ['an unknown escape', [{ op: 'add', path: '/a~2', value: 1 }]],
    ['no slash at the start', [{ op: 'add', path: 'a', value: 1 }]],
    ['a path that is a number', [{ op: 'add', path: 1, value: 1 }]],
    ['no value', [{ op: 'add', path: '/b' }]],
    ['an operation that is none', ['add']],
    ['null', [null]],
    ['a value that is moved', [{ op: 'move', from: '/a', path: '/b' }]],
    ['a value that is copied', [{ op: 'copy', from: '/a', path: '/b' }]],
    ['a test', [{ op: 'test', path: '/a', value: {} }]],
    ['an operation called toString', [{ op: 'toString', path: '/a', value: {} }]],
    ['an index with a leading zero', [{ op: 'replace', path: '/list/00', value: 1 }]],
    ['an index beyond the end', [{ op: 'add', path: '/list/3', value: 1 }]],
  ])('fail with %s', (_, operations) => {
    expect(applied({ a: {}, list: [1, 2] }, operations).ok).toBe(false);
  });

  it('fail, and do not throw, where nesting is deeper than the stack', () => {
    let value: unknown = 1;
    for (let i = 0; i < 100_000; i++) value = [value];
    expect(applyOperations({}, [{ op: 'add', path: '/a', value }], () => true)).toMatch(/nested too deeply/);
  });

  it('J12: change what is the frame’s own and nothing else, not even the whole', () => {
    const isOwn = ([first]: readonly string[]) => first === 'mine';
    for (const path of ['', '/', '/yours', '/yours/a', '/min', '/mine~1/a']) {
      const document = { mine: { a: 1 }, yours: { a: 2 } };
      for (const op of ['add', 'replace', 'remove']) {
        expect(applyOperations(document, [{ op, path, value: 9 }], isOwn), `${op} ${path}`).toMatch(
          /this frame may not change/,
        );
      }
      expect(document).toEqual({ mine: { a: 1 }, yours: { a: 2 } });
    }
    expect(applyOperations({ mine: {} }, [{ op: 'add', path: '/mine/a', value: 1 }], isOwn)).toBeUndefined();
  });

  it('J12: name what fails with no more than a part of the server’s text', () => {
    const path = `/${'x'.repeat(1_000_000)}`;
    for (const op of ['replace', 'remove', path]) {
      expect(applyOperations({}, [{ op, path, value: 1 }], () => true)?.length).toBeLessThan(200);
      expect(applyOperations({}, [{ op, path, value: 1 }], () => false)?.length).toBeLessThan(200);
    }
  });

  it('lead where an independent library’s lead', () => {
    // Through text, as from the wire: it knows no −0.
    const json = fc.json({ maxDepth: 3 }).map(text => JSON.parse(text) as unknown);
    fc.assert(
      fc.property(json, json, (before, after) => {
        const operations = createPatch({ root: before }, { root: after });
        const theirs = { root: structuredClone(before) };
        const failed = applyPatch(theirs, operations).some(failure => failure !== null);
        const ours = { root: structuredClone(before) };
        const reason = applyOperations(ours, operations, () => true);
        const isUnsafe = /__proto__/.test(JSON.stringify(operations));
        fc.pre(!failed && !isUnsafe);
        expect(reason).toBeUndefined();
        expect(ours).toEqual({ root: after });
      }),
      { numRuns: 500 },
    );
  });
});

describe('J12: a document', () => {
  it('is bounded in what it holds and how deep', () => {
    const quote = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`member_${i}`, 'x'.repeat(4096)]));
    expect(isBounded(quote)).toBe(true);
    expect(isBounded({ a: 'x'.repeat(DOCUMENT_SIZE_MAX) })).toBe(false);
    expect(isBounded(Object.fromEntries(Array.from({ length: DOCUMENT_SIZE_MAX / 8 }, (_, i) => [i, 0])))).toBe(false);
    let nested: unknown = 1;
    for (let i = 0; i < NESTING_MAX; i++) nested = { nested };
    expect(isBounded(nested)).toBe(true);
    for (let i = 0; i < 100_000; i++) nested = [nested];
    expect(isBounded(nested)).toBe(false);
  });
});
