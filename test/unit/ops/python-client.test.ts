/** J10 J12: the Python client, towards what is no gateway. It needs Python alone, as its half without I/O does. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const FOLDER = fileURLToPath(new URL('../../../ops/examples/clients/python', import.meta.url));

const PROGRAM = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, ${JSON.stringify(FOLDER)})
from millrace import Documents, Event, ProtocolError, decode, describe, printable
documents, told = Documents(), []
for message in json.load(sys.stdin):
    try:
        for frame in decode(message):
            told += [[event.kind, event.topic] for event in documents.feed(frame)]
    except ProtocolError:
        told.append(["malformed", ""])
hostile = "a" + chr(27) + "[2J" + chr(0x202e) + chr(0x2028) + chr(0x9b) + chr(10)
line = printable(describe(Event("gap", hostile, {"from": 1, "to": 2}, hostile)))
json.dump({"told": told, "quotes": documents.quotes, "depth": documents.depth, "line": line}, sys.stdout)
`;

interface Outcome {
  readonly told: readonly (readonly [string, string])[];
  readonly quotes: Readonly<Record<string, unknown>>;
  readonly depth: Readonly<Record<string, unknown>>;
  readonly line: string;
}

function outcomeOf(messages: readonly string[]): Outcome {
  const run = spawnSync('python3', ['-c', PROGRAM], { input: JSON.stringify(messages), encoding: 'utf8' });
  expect(run.stderr).toBe('');
  return JSON.parse(run.stdout) as Outcome;
}

const hasPython = spawnSync('python3', ['--version']).status === 0;
const A = { symbol: 'A', current_price: 1 };
const B = { symbol: 'B', current_price: 2 };
const snapshot = {
  type: 'quotes_patch',
  snapshot: true,
  epoch: 'e',
  seqs: { A: 1, B: 1 },
  operations: [
    { op: 'add', path: '/quotes/A', value: A },
    { op: 'add', path: '/quotes/B', value: B },
  ],
};
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe.skipIf(!hasPython)('J12: the Python client', () => {
  it.each([
    ['a copy', JSON.stringify([{ op: 'copy', from: '/quotes/A', path: '/quotes/A/a' }])],
    ['another topic', JSON.stringify([{ op: 'replace', path: '/quotes/B/current_price', value: 9 }])],
    ['all quotes', JSON.stringify([{ op: 'replace', path: '/quotes', value: {} }])],
    ['what is no quote', JSON.stringify([{ op: 'replace', path: '/quotes/A', value: 9 }])],
    ['a long text', JSON.stringify([{ op: 'add', path: '/quotes/A/a', value: 'x'.repeat(2 ** 21) }])],
    ['a deep value', `[{"op":"add","path":"/quotes/A/a","value":${nested(99)}}]`],
  ])('J12: does not apply %s, and asks for its own topic again', (_what, operations) => {
    const delta = `{"type":"quotes_patch","symbol":"A","epoch":"e","prev_seq":1,"seq":2,"operations":${operations}}`;
    const { told, quotes } = outcomeOf([JSON.stringify(snapshot), delta]);
    expect(told.at(-1)).toEqual(['broken', 'quotes:A']);
    expect(quotes).toEqual({ B });
  });

  it('J12: takes no book that is none, and no frame that Python cannot hold', () => {
    const book = { type: 'depth_patch', snapshot: true, symbol: 'X', epoch: 'e', seq: 1, checksum: 0 };
    const of = (operations: readonly object[]) => JSON.stringify({ ...book, operations });
    const { told, depth } = outcomeOf([
      of([{ op: 'add', path: '/bids', value: ['1'] }]),
      of([{ op: 'add', path: '/bids/1', value: 1 }]),
      of([{ op: 'add', path: '/bids/price', value: '1' }]),
      nested(100_000),
      '{"type":',
    ]);
    expect(told.map(([kind]) => kind)).toEqual(['broken', 'broken', 'malformed', 'malformed', 'malformed']);
    expect(JSON.stringify(depth)).not.toContain('["1"]');
  });

  it('J10: prints nothing that a terminal obeys', () => {
    expect(outcomeOf([]).line).toBe('!! GAP a?[2J????: 1 to 2 are lost (a?[2J????)');
  });
});
