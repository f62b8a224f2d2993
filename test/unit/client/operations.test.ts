import { createRequire } from 'node:module';
import fc from 'fast-check';
import { applyPatch, createPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import { applyOperations } from '../../../src/client/operations.js';

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

describe('R34 the JSON Patch test suite', () => {
  it('is there whole', () => {
    expect(suite.length).toBe(95);
    expect(cases.length).toBe(93);
  });

  it.each(cases)('$name', ({ doc, patch = [], expected, error }) => {
    const result = applyOperations(structuredClone(doc), patch);
    if (error !== undefined) expect(result.ok).toBe(false);
    else if (expected === undefined) expect(result.ok).toBe(true);
    else expect(result).toEqual({ ok: true, document: expected });
  });
});

describe('R34 operations', () => {
  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'never reach an object’s %s',
    token => {
      for (const path of [`/${token}`, `/${token}/polluted`, `/a/${token}/polluted`]) {
        for (const op of ['add', 'replace', 'remove', 'test']) {
          // As a member of its own it is one like any other, but what an object inherits is never led through.
          const isOwn = op === 'add' && path === `/${token}` && token !== '__proto__';
          expect(applyOperations({ a: {} }, [{ op, path, value: 'x' }]).ok, `${op} ${path}`).toBe(isOwn);
        }
        expect(applyOperations({ a: {} }, [{ op: 'copy', from: path, path: '/b' }]).ok).toBe(false);
      }
      expect(applyOperations({ a: {} }, [{ op: 'move', from: '/a', path: `/${token}/polluted` }]).ok).toBe(false);
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
      expect(Object.hasOwn(Object, 'polluted') || Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
    },
  );

  it.each(['constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'])(
    'D17: take a member called %s as any other, nested too',
    token => {
      const operations = [
        { op: 'add', path: `/${token}`, value: { [token]: { a: 1 } } },
        { op: 'test', path: `/${token}`, value: { [token]: { a: 1 } } },
        { op: 'add', path: `/${token}/${token}/b`, value: [2] },
        { op: 'replace', path: `/${token}/${token}/a`, value: 3 },
        { op: 'copy', from: `/${token}/${token}`, path: '/copy' },
        { op: 'move', from: `/${token}`, path: '/moved' },
        { op: 'remove', path: `/moved/${token}/a` },
      ];
      expect(applyOperations({}, operations)).toEqual({
        ok: true,
        document: { copy: { a: 3, b: [2] }, moved: { [token]: { b: [2] } } },
      });
      expect(applyOperations({}, [{ op: 'replace', path: `/${token}`, value: 1 }]).ok).toBe(false);
    },
  );

  it('refuse a value with a prototype of its own', () => {
    const operations = JSON.parse('[{"op":"add","path":"/a","value":{"b":[{"__proto__":{"polluted":1}}]}}]');
    expect(applyOperations({}, operations)).toEqual({ ok: false, reason: 'operation 0: __proto__ is no member' });
  });

  it('do not see what an object inherits', () => {
    expect(applyOperations({}, [{ op: 'test', path: '/toString', value: 1 }]).ok).toBe(false);
    expect(applyOperations({}, [{ op: 'remove', path: '/hasOwnProperty' }]).ok).toBe(false);
    expect(applyOperations({}, [{ op: 'add', path: '/toString', value: 1 }])).toEqual({
      ok: true,
      document: { toString: 1 },
    });
  });

  it('copy what they add, so that the frame stays as it came', () => {
    const frame = [
      { op: 'add', path: '/a', value: { b: [1] } },
      { op: 'add', path: '/a/b/-', value: 2 },
    ];
    expect(applyOperations({}, frame)).toEqual({ ok: true, document: { a: { b: [1, 2] } } });
    expect(frame[0]?.value).toEqual({ b: [1] });
  });

  it.each([
    ['a lone tilde', [{ op: 'add', path: '/~', value: 1 }]],
    ['an unknown escape', [{ op: 'add', path: '/a~2', value: 1 }]],
    ['no slash at the start', [{ op: 'add', path: 'a', value: 1 }]],
    ['a path that is a number', [{ op: 'add', path: 1, value: 1 }]],
    ['no value', [{ op: 'add', path: '/b' }]],
    ['no from', [{ op: 'move', path: '/b' }]],
    ['an operation that is none', ['add']],
    ['null', [null]],
    ['a value moved into itself', [{ op: 'move', from: '/a', path: '/a/b' }]],
    ['a whole document taken away', [{ op: 'remove', path: '' }]],
    ['an index with a leading zero', [{ op: 'replace', path: '/list/00', value: 1 }]],
    ['an index beyond the end', [{ op: 'add', path: '/list/3', value: 1 }]],
  ])('fail with %s', (_, operations) => {
    expect(applyOperations({ a: {}, list: [1, 2] }, operations).ok).toBe(false);
  });

  it('fail, and do not throw, where nesting is deeper than the stack', () => {
    let value: unknown = 1;
    for (let i = 0; i < 100_000; i++) value = [value];
    expect(applyOperations({}, [{ op: 'add', path: '/a', value }]).ok).toBe(false);
  });

  it('lead where an independent library’s lead', () => {
    // Through text, as from the wire: it knows no −0.
    const json = fc.json({ maxDepth: 3 }).map(text => JSON.parse(text) as unknown);
    fc.assert(
      fc.property(json, json, (before, after) => {
        const operations = createPatch({ root: before }, { root: after });
        const theirs = { root: structuredClone(before) };
        const failed = applyPatch(theirs, operations).some(failure => failure !== null);
        const ours = applyOperations({ root: structuredClone(before) }, operations);
        const isUnsafe = /__proto__/.test(JSON.stringify(operations));
        fc.pre(!failed && !isUnsafe);
        expect(ours).toEqual({ ok: true, document: { root: after } });
      }),
      { numRuns: 500 },
    );
  });
});
