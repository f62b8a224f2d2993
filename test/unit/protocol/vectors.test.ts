/** src/protocol/vectors: what the gateway's modules make of published bytes, and what clients are to come to. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TopicChains } from '../../../src/client/chain.js';
import { parseExact, stringifyExact } from '../../../src/protocol/exact-json.js';
import { ExactNumber } from '../../../src/protocol/exact-number.js';
import { MsgpackReader } from '../../../src/protocol/msgpack-reader.js';
import { foreignPython } from '../../support/foreign/python.js';
import { VECTOR_FILES, vectorTexts } from '../../support/vectors/files.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDER = join(ROOT, 'src/protocol/vectors');
const PYTHON_CLIENT = join(ROOT, 'ops/examples/clients/python/millrace.py');
const VECTORS_MIN = 150;
/** Cases of data.md; D10 is the clock's, which no message says. */
const CASES = Array.from({ length: 21 }, (_, i) => `D${i + 1}`).filter(name => name !== 'D10');
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
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  generated = await vectorTexts(ms => vi.advanceTimersByTimeAsync(ms));
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
        const [held, expected] = [textOf(chains.documentOf(topic)), textOf(asHeld(document))];
        if (held !== expected) broken.push(`${vector.name}: ${held}, not ${expected}`);
      }
      return broken;
    });
    expect(wrong).toEqual([]);
  });
});

function framesOf({ frames }: Vector, format: 'json' | 'msgpack'): Record<string, unknown>[] {
  const reader = new MsgpackReader();
  const read = ({ hex }: { readonly hex: string }) => {
    const bytes = Buffer.from(hex, 'hex');
    return reader.read(bytes, 0, bytes.length);
  };
  const messages =
    format === 'json' ? frames.json.map(({ text }) => asHeld(parseExact(text))) : frames.msgpack.map(read);
  return messages.flat() as Record<string, unknown>[];
}

/** As MessagePack has it: what neither an integer of 64 bits nor a double holds is text. */
function asHeld(value: unknown): unknown {
  if (value instanceof ExactNumber) return value.text;
  if (typeof value === 'bigint')
    return BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value ? value : String(value);
  if (Array.isArray(value)) return value.map(asHeld);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asHeld(member)]));
}

/** The same text for the same document: the order of members means nothing. */
function textOf(value: unknown): string {
  return stringifyExact(sorted(value)) ?? 'nothing';
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}

function firstDifference(written: string, now: string): string {
  const [a, b] = [written.split('\n'), now.split('\n')];
  const at = a.findIndex((line, i) => line !== b[i]);
  return `written ${a[at]?.slice(0, 1000)}\nnow ${b[at]?.slice(0, 1000)}`;
}
