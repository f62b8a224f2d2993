/** src/protocol/vectors: what the gateway's modules make of published bytes, and what clients are to come to. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TopicChains } from '../../../src/client/chain.js';
import { parseExact } from '../../../src/protocol/exact-json.js';
import { asHeld, documentText, exactFrames } from '../../support/exact-values.js';
import { foreignPython } from '../../support/foreign/python.js';
import { VECTOR_FILES, vectorTexts } from '../../support/vectors/files.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDER = join(ROOT, 'src/protocol/vectors');
const PYTHON_CLIENT = join(ROOT, 'ops/examples/clients/python/millrace.py');
const VECTORS_MIN = 150;
/** Cases of data.md; D10 is the clock's, which no message says. */
const CASES = Array.from({ length: 21 }, (_, i) => `D${i + 1}`).filter(name => name !== 'D10');
const FAKED_FROM_MS = Date.UTC(2026, 0, 2);
const GENERATION_TIMEOUT_MS = 120_000;

interface Vector {
  readonly name: string;
  readonly topics: readonly string[];
  readonly frames: { readonly json: readonly { text: string }[]; readonly msgpack: readonly { hex: string }[] };
  readonly expected: {
    readonly documents?: Readonly<Record<string, unknown>>;
    readonly positions: Readonly<Record<string, unknown>>;
    readonly stale?: readonly string[];
  };
}

let generated: Readonly<Record<string, string>>;

beforeAll(async () => {
  const toFake = ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'] as const;
  vi.useFakeTimers({ now: FAKED_FROM_MS, toFake: [...toFake] });
  // Both clocks agree, so that no time in a frame is corrected by the machine's own.
  Object.defineProperty(performance, 'timeOrigin', { value: FAKED_FROM_MS, configurable: true });
  generated = await vectorTexts(ms => vi.advanceTimersByTimeAsync(ms));
  Reflect.deleteProperty(performance, 'timeOrigin');
  vi.useRealTimers();
  if (process.env.MILLRACE_VECTORS !== 'write') return;
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, text] of Object.entries(generated)) writeFileSync(join(FOLDER, `${name}.json`), text);
}, GENERATION_TIMEOUT_MS);

afterAll(() => {
  vi.useRealTimers();
});

const vectors = () =>
  Object.values(generated).flatMap(text => (parseExact(text) as { readonly cases: readonly Vector[] }).cases);

describe('the vectors of the protocol', () => {
  it.each(Object.keys(VECTOR_FILES))('R14 in %s.json are what the gateway does today', name => {
    const written = readFileSync(join(FOLDER, `${name}.json`), 'utf8');
    const how = 'to write them again: MILLRACE_VECTORS=write npx vitest run test/unit/protocol/vectors.test.ts';
    expect(written === generated[name] ? '' : firstDifference(written, generated[name] ?? ''), how).toBe('');
  });

  it('are all there, and no others', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(
      Object.keys(VECTOR_FILES)
        .map(name => `${name}.json`)
        .sort(),
    );
  });

  it('cover every line of data.md', () => {
    const names = vectors().map(({ name }) => name);
    expect(names.length).toBeGreaterThanOrEqual(VECTORS_MIN);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    expect(CASES.filter(line => !names.some(name => name.startsWith(`${line}:`)))).toEqual([]);
  });

  it('R14 lead the reference client in Python to what they name', () => {
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
    const run = spawnSync(foreignPython(), [PYTHON_CLIENT, '--vectors', FOLDER], { encoding: 'utf8', env });
    const count = vectors().length;
    expect(`${run.stdout}${run.stderr}`).toBe(`${count} vectors, ${count} passed\n`);
    expect(run.status).toBe(0);
  });

  it.each(['json', 'msgpack'] as const)('R14 lead the SDK to the documents that they name, in %s', format => {
    const wrong = vectors().flatMap(vector => {
      const chains = new TopicChains();
      const broken: string[] = [];
      for (const frame of framesOf(vector, format)) {
        const outcome = chains.feed(frame);
        if (['broken', 'checksum_mismatch', 'patch_failed', 'malformed'].includes(outcome.kind)) {
          broken.push(`${vector.name}: ${JSON.stringify(outcome)}`);
        }
      }
      for (const [topic, document] of Object.entries(vector.expected.documents ?? {})) {
        const [held, expected] = [documentText(chains.documentOf(topic)), documentText(asHeld(document))];
        if (held !== expected) broken.push(`${vector.name}: ${held}, not ${expected}`);
      }
      return broken;
    });
    expect(wrong).toEqual([]);
  });
});

function framesOf({ frames }: Vector, format: 'json' | 'msgpack'): Record<string, unknown>[] {
  return format === 'json'
    ? frames.json.flatMap(({ text }) => exactFrames(text))
    : frames.msgpack.flatMap(({ hex }) => exactFrames(Buffer.from(hex, 'hex')));
}

function firstDifference(written: string, now: string): string {
  const [a, b] = [written.split('\n'), now.split('\n')];
  const at = a.findIndex((line, i) => line !== b[i]);
  return `written ${a[at]?.slice(0, 1000)}\nnow ${b[at]?.slice(0, 1000)}`;
}
