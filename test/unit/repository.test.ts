/** Rules about the repository itself: who may import whom, what is documented, what `npm ci` needs. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/config/settings-table.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** Paths under src, with forward slashes, relative to the repository. */
const SOURCES = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(entry => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
  .sort();

describe('imports', () => {
  /** Parts of the data path that meet in protocol types and thread entries only. */
  const APART = ['feed', 'hub', 'encoder', 'gateway', 'fix'];
  /** The only parts that these may import besides themselves. */
  const ONLY: Readonly<Record<string, readonly string[]>> = {
    protocol: [],
    threads: ['protocol'],
    client: ['protocol'],
    publisher: ['protocol'],
    dashboard: ['protocol', 'client'],
  };
  /** Names the records that all threads hand over, and nothing else. */
  const RECORD_KINDS = 'src/journal/kinds.ts';
  /** Parts that run in browsers too. */
  const WITHOUT_NODE = ['protocol', 'client', 'dashboard'];

  const STARTERS = ['src/cli/gateway-process.ts'];

  /** `src/hub/hub.ts` → `hub`; a file directly in src is a part of its own. */
  const partOf = (file: string) => file.split('/')[1] ?? '';

  /** Why `file` must not import `specifier`; undefined when it may. */
  function forbidden(file: string, specifier: string): string | undefined {
    const from = partOf(file);
    if (!specifier.startsWith('.')) {
      const isNode = specifier.startsWith('node:');
      return isNode && WITHOUT_NODE.includes(from) ? `${from} runs in browsers: no ${specifier}` : undefined;
    }
    const target = posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts');
    const to = partOf(target);
    if (target === 'src/main.ts') return STARTERS.includes(file) ? undefined : 'only the program starts main';
    if (from === to || (from === 'threads' && target === RECORD_KINDS)) return undefined;
    if (APART.includes(from) && APART.includes(to)) return `${from} and ${to} know nothing of each other`;
    const only = ONLY[from];
    return only === undefined || only.includes(to) ? undefined : `${from} must not import ${to}`;
  }

  const modules = SOURCES.filter(file => file.endsWith('.ts'));

  it('of every module keep the parts apart', () => {
    const violations = modules.flatMap(file =>
      ts
        .preProcessFile(read(file))
        .importedFiles.map(({ fileName }) => ({ fileName, reason: forbidden(file, fileName) }))
        .filter(({ reason }) => reason !== undefined)
        .map(({ fileName, reason }) => `${file} imports ${fileName}: ${reason}`),
    );
    expect(modules.length).toBeGreaterThan(50);
    expect(violations).toEqual([]);
  });

  it.each([
    ['src/protocol/topics.ts', '../hub/hub.js'],
    ['src/protocol/topics.ts', 'node:fs'],
    ['src/hub/hub.ts', '../encoder/encoder.js'],
    ['src/hub/hub.ts', '../feed/nats.js'],
    ['src/gateway/thread.ts', '../feed/feed.js'],
    ['src/fix/thread.ts', '../gateway/edge/server.js'],
    ['src/feed/simulator/simulator.ts', '../../gateway/server.js'],
    ['src/client/chain.ts', '../config/environment.js'],
    ['src/dashboard/page.ts', '../observe/log.js'],
    ['src/cli/tail.ts', '../main.js'],
    ['src/gateway/edge/server.ts', '../../main.js'],
    ['src/cli/welcome.ts', '../main.js'],
  ])('would not let %s import %s', (file, specifier) => {
    expect(forbidden(file, specifier)).toBeDefined();
  });

  it.each([
    ['src/protocol/commands.ts', './codes.js'],
    ['src/protocol/commands.ts', 'zod'],
    ['src/hub/hub.ts', '../protocol/batch.js'],
    ['src/hub/hub-feed.ts', '../feed-contract/feed.js'],
    ['src/feed/simulator/simulator.ts', '../feed.js'],
    ['src/dashboard/page.ts', '../client/chain.js'],
    ['src/cli/gateway-process.ts', '../main.js'],
    ['src/main.ts', './gateway.js'],
    ['src/gateway.ts', './hub/hub.js'],
  ])('let %s import %s', (file, specifier) => {
    expect(forbidden(file, specifier)).toBeUndefined();
  });
});

describe('package-lock.json', () => {
  interface LockEntry {
    readonly version?: string;
    readonly integrity?: string;
    readonly resolved?: string;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  }
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Readonly<Record<string, LockEntry>> };
  const installed = Object.entries(packages).filter(([path]) => path !== '');

  /** The entry that a package at `path` finds under `name`, as Node resolves it. */
  function found(path: string, name: string): LockEntry | undefined {
    for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
      const entry = packages[at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`];
      if (entry !== undefined || at === '') return entry;
    }
  }

  it('has every platform’s package of every optional dependency, in the version asked for', () => {
    const missing: string[] = [];
    let optional = 0;
    for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
      for (const [name, range] of Object.entries(optionalDependencies)) {
        optional++;
        const version = found(path, name)?.version;
        const isOther = /^\d+\.\d+\.\d+$/.test(range) && version !== range;
        if (version === undefined || isOther) missing.push(`${path || 'millrace'}: ${name}@${range}, not ${version}`);
      }
    }
    expect(optional).toBeGreaterThan(20);
    expect(missing).toEqual([]);
  });

  it('pins every package by its hash, and none to one registry', () => {
    expect(installed.length).toBeGreaterThan(80);
    expect(installed.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? '')).map(([path]) => path)).toEqual(
      [],
    );
    expect(installed.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
  });
});

/** Pages directly in that folder. */
const markdownIn = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter(file => file.endsWith('.md'))
    .map(file => `${folder}/${file}`);

describe('README.md', () => {
  it('gives the settings that it names the defaults that they have', () => {
    const section = /\n## Configuration\n(.*?)\n## /s.exec(read('README.md'))?.[1] ?? '';
    const rows = [...section.matchAll(/^\| (`[A-Z].*?) \| (.+?) \|/gm)];
    expect(rows.length).toBeGreaterThan(5);
    for (const [, names = '', defaults = ''] of rows) {
      const named = [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
      const given = [...new Set(named.map(name => SETTINGS.get(name)?.default))];
      const shown = given.map(text => (text === undefined ? 'unset' : text === '' ? 'none' : `\`${text}\``));
      expect(
        named.filter(name => !SETTINGS.has(name)),
        names,
      ).toEqual([]);
      expect(shown.join(', '), names).toBe(defaults);
    }
  });

  it('is for a stranger: under 2,500 words, in lines of 140 characters at most', () => {
    const text = read('README.md');
    expect(text.split(/\s+/).length).toBeLessThan(2500);
    expect(text.split('\n').filter(line => [...line].length > 140)).toEqual([]);
  });

  it('links to files that are there', () => {
    const pages = [
      'README.md',
      'CHANGELOG.md',
      'src/protocol/README.md',
      'src/gateway/README.md',
      'bench/results/README.md',
      ...markdownIn('ops'),
    ];
    const broken = pages.flatMap(page =>
      [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map(([, target = '']) => join(dirname(page), target))
        .filter(target => !existsSync(join(ROOT, target)))
        .map(target => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });
});

describe('the files', () => {
  const ALLOWED = [
    /^package(-lock)?\.json$/,
    /^tsconfig(\.\w+)?\.json$/,
    /^(src|bench|test|native-notes|ops)$/,
    /^(Dockerfile|README\.md|CHANGELOG\.md|LICENSE)$/,
    // What a tool looks for at the top, and nowhere else.
    /^(\.ci|\.dockerignore|\.gitignore|\.npmrc|biome\.json|esbuild\.config\.mjs|vitest\.config\.ts)$/,
  ];

  it.runIf(existsSync(join(ROOT, '.git')))('at the top of the repository are those that belong there', () => {
    const tracked = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
    const top = [...new Set(tracked.map(path => path.split('/')[0] ?? ''))];
    expect(top).toContain('package.json');
    expect(top.filter(name => !ALLOWED.some(pattern => pattern.test(name)))).toEqual([]);
  });

  it('in src are short enough to read', () => {
    const lines = (file: string) => read(file).trimEnd().split('\n').length;
    const modules = SOURCES.filter(file => file.endsWith('.ts'));
    expect(modules.filter(file => lines(file) > 350).map(file => `${file}: ${lines(file)} lines`)).toEqual([]);
  });
});
