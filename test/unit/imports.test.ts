/** Who may import whom: rooms stand above what they import, and nothing goes round in a circle. Type imports count. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** From the top to the ground: a room imports rooms below it, and itself. A file that is named is a room of its own. */
const ROOMS = [
  'test/support',
  'ops/topology',
  'bench/run.ts',
  'bench',
  'bench/harness',
  'bench/suite.ts',
  'bench/report',
  'src/cli',
  'src',
  'src/admin',
  'src/observe/metrics',
  'src/gateway',
  'src/gateway/edge',
  'src/gateway/operators',
  'src/gateway/delivery',
  'src/gateway/commands',
  'src/gateway/slow-consumers',
  'src/gateway/sessions',
  'src/gateway/subscriptions',
  'src/gateway/events',
  'src/gateway/sending',
  'src/gateway/views',
  'src/gateway/journal',
  'src/gateway/supervision',
  'src/gateway/model',
  'src/gateway/limits',
  'src/gateway/refusal.ts',
  'src/gateway/native',
  'src/fix',
  'src/fix/store',
  'src/fix/session',
  'src/fix/wire',
  'src/hub',
  'src/hub/delays',
  'src/hub/events',
  'src/hub/shards',
  'src/hub/sources',
  'src/hub/hub-feed.ts',
  'src/encoder',
  'src/revocation',
  'src/surveillance',
  'src/journal',
  'src/feed/create-feed.ts',
  'src/feed/simulator',
  'src/feed',
  'src/feed-contract',
  'src/publisher',
  'src/dashboard',
  'src/client',
  'src/auth',
  'src/observe',
  'src/config',
  'src/threads',
  'src/journal/kinds.ts',
  'src/protocol/asyncapi.ts',
  'src/protocol/asyncapi',
  'src/protocol/frames.ts',
  'src/protocol/frames',
  'src/protocol',
  'src/programs.ts',
  'src/page-assets.ts',
];

const modules = ['src', 'bench', 'test/support', 'ops/topology'].flatMap(folder =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map(name => posix.join(folder, name.replaceAll('\\', '/')))
    .filter(name => /\.(ts|mjs)$/.test(name)),
);

/** The room that a file is in: the longest entry of the table that it begins with. */
function roomOf(file: string): string {
  const rooms = ROOMS.filter(room => file === room || file.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? 'none';
}

/** Files that a module imports, types included. */
function importsOf(file: string): string[] {
  return ts
    .preProcessFile(readFileSync(join(ROOT, file), 'utf8'))
    .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => posix.join(posix.dirname(file), fileName).replace(/\.js$/, '.ts'));
}

/** Why `file` must not import `target`; undefined when it may. */
function upward(file: string, target: string): string | undefined {
  const [from, to] = [roomOf(file), roomOf(target)];
  if (to === 'none' || ROOMS.indexOf(from) <= ROOMS.indexOf(to)) return undefined;
  return `${file} imports ${target}: ${to} stands above ${from}`;
}

/** One circle among the files, as the path that comes back to its first; undefined where there is none. */
function circle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const found = visit(next);
      if (found !== undefined) return found;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const found = visit(file);
    if (found !== undefined) return found;
  }
  return undefined;
}

describe('imports', () => {
  const graph = new Map(modules.map(file => [file, importsOf(file)]));

  it('go down the rooms, never up', () => {
    expect(modules.length).toBeGreaterThan(300);
    const found = [...graph].flatMap(([file, targets]) => targets.map(target => upward(file, target)));
    expect(found.filter(reason => reason !== undefined)).toEqual([]);
  });

  it('go in no circle', () => {
    expect(circle(graph)).toBeUndefined();
  });

  it('of a file that is in no room are named', () => {
    expect(modules.filter(file => roomOf(file) === 'none')).toEqual([]);
  });

  it.each([
    ['src/gateway/model/session.ts', 'src/gateway/edge/admission.ts'],
    ['src/gateway/refusal.ts', 'src/gateway/model/session.ts'],
    ['src/threads/ring.ts', 'src/hub/hub.ts'],
    ['src/protocol/topics.ts', 'src/threads/ring.ts'],
    ['src/hub/sources/symbols.ts', 'src/hub/hub.ts'],
    ['bench/harness/clock.ts', 'test/support/gateway.ts'],
  ])('would not let %s import %s', (file, target) => {
    expect(upward(file, target)).toContain('stands above');
  });

  it('would find a circle', () => {
    const round = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ]);
    expect(circle(round)).toEqual(['b', 'c', 'b']);
  });
});

/** Public entrances: their users are not in this repository. */
const PUBLIC = ['src/client/', 'src/publisher/'];
const NAMES = /[A-Za-z_$][\w$]*/g;
const EXPORTED =
  /^export (?:abstract )?(?:async )?(?:const enum|const|let|function\*?|class|interface|type|enum) ([A-Za-z_$][\w$]*)/gm;

it('nothing is exported that no other file names', () => {
  const texts = ['src', 'bench', 'test', 'native-notes', 'ops/topology'].flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map(file => posix.join(folder, file.replaceAll('\\', '/')))
      .filter(file => /\.(ts|mjs|js|html)$/.test(file))
      .map(file => ({ file, text: readFileSync(join(ROOT, file), 'utf8') })),
  );
  const namedIn = new Map<string, number>();
  for (const { text } of texts) {
    for (const name of new Set(text.match(NAMES))) namedIn.set(name, (namedIn.get(name) ?? 0) + 1);
  }
  const unused = texts
    .filter(({ file }) => file.endsWith('.ts') && !PUBLIC.some(folder => file.startsWith(folder)))
    .flatMap(({ file, text }) => [...text.matchAll(EXPORTED)].map(([, name = '']) => ({ file, name })))
    .filter(({ name }) => namedIn.get(name) === 1);
  expect(texts.length).toBeGreaterThan(500);
  expect(unused.map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
});
