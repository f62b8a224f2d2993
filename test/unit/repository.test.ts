/** Rules about the repository itself: who may import whom, what is documented, what `npm ci` needs. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/environment.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** Paths under src, with forward slashes, relative to the repository. */
const SOURCES = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(entry => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
  .sort();

describe('imports', () => {
  /** Parts of the data path that meet in protocol types and thread entries only. */
  const APART = ['feed', 'hub', 'encoder', 'gateway'];
  /** The only parts that these may import besides themselves. */
  const ONLY: Readonly<Record<string, readonly string[]>> = {
    protocol: [],
    threads: ['protocol'],
    client: ['protocol'],
    publisher: ['protocol'],
    dashboard: ['protocol', 'client'],
  };
  /** Parts that run in browsers too. */
  const WITHOUT_NODE = ['protocol', 'client', 'dashboard'];

  const STARTERS = ['src/cli/gateway-process.ts', 'src/cli/welcome.ts'];

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
    if (from === to) return undefined;
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
    ['src/gateway/thread.ts', '../feed/feed.js'],
    ['src/feed/simulator/simulator.ts', '../../gateway/server.js'],
    ['src/client/chain.ts', '../config/environment.js'],
    ['src/dashboard/page.ts', '../observe/log.js'],
    ['src/cli/tail.ts', '../main.js'],
    ['src/gateway/edge/server.ts', '../../main.js'],
  ])('would not let %s import %s', (file, specifier) => {
    expect(forbidden(file, specifier)).toBeDefined();
  });

  it.each([
    ['src/protocol/commands.ts', './codes.js'],
    ['src/protocol/commands.ts', 'zod'],
    ['src/hub/hub.ts', '../protocol/batch.js'],
    ['src/feed/simulator/simulator.ts', '../feed.js'],
    ['src/dashboard/page.ts', '../client/chain.js'],
    ['src/cli/gateway-process.ts', '../main.js'],
    ['src/main.ts', './hub/hub.js'],
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

describe('README.md', () => {
  const CORES = 8;

  /** Rows `| \`NAME\` | default | meaning |` of the section Configuration. */
  function documented(): ReadonlyMap<string, string> {
    const section = /\n## Configuration\n(.*?)\n## /s.exec(read('README.md'))?.[1] ?? '';
    const rows = [...section.matchAll(/^\| `([A-Z][A-Z0-9_]*)` \| ([^|]+?) \|/gm)];
    return new Map(rows.map(([, name = '', value = '']) => [name, value]));
  }

  /** Names that the configuration reads, and whether each has a default that means something. */
  function declared(): ReadonlyMap<string, boolean> {
    const folder = 'src/config/variables';
    return new Map(readdirSync(join(ROOT, folder)).flatMap(file => [...declaredIn(`${folder}/${file}`)]));
  }

  function declaredIn(file: string): ReadonlyMap<string, boolean> {
    const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
    const names = new Map<string, boolean>();
    const visit = (node: ts.Node): void => {
      if (ts.isVariableDeclaration(node) && node.name.getText().endsWith('Variables')) {
        const shape = node.initializer;
        if (shape === undefined || !ts.isCallExpression(shape)) throw new Error(`${file}: not z.object(…)`);
        const [members] = shape.arguments;
        if (members === undefined || !ts.isObjectLiteralExpression(members)) throw new Error(`${file}: no members`);
        for (const member of members.properties) {
          const value = /\.default\((.*?)\)$/s.exec(member.getText())?.[1];
          names.set(member.name?.getText() ?? '', value !== undefined && value !== '[]');
        }
      }
      node.forEachChild(visit);
    };
    visit(source);
    return names;
  }

  it('names exactly the variables that the configuration reads', () => {
    expect(declared().size).toBeGreaterThan(30);
    expect([...documented().keys()].sort()).toEqual([...declared().keys()].sort());
  });

  it('gives the default of every variable that has one', () => {
    const silent = [...declared()].filter(([name, hasDefault]) => hasDefault && documented().get(name) === 'unset');
    expect(silent).toEqual([]);
  });

  it.each([...documented()].filter(([, value]) => value !== 'unset'))('says truly that %s is %s', (name, value) => {
    const text = /^`(.+)`$/.exec(value)?.[1] ?? '';
    expect(text, 'a default is code').not.toBe('');
    expect(readConfig({ [name]: text }, CORES)).toEqual(readConfig({}, CORES));
  });

  it('links to files that are there', () => {
    const pages = ['README.md', 'CHANGELOG.md', 'src/protocol/README.md', 'ops/README.md', 'ops/metrics.md'];
    const broken = pages.flatMap(page =>
      [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map(([, target = '']) => join(dirname(page), target))
        .filter(target => !existsSync(join(ROOT, target)))
        .map(target => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });
});

describe('ops/metrics.md', () => {
  it('lists exactly the metrics that src/observe exports', () => {
    const code = ['metrics', 'latency-metric'].map(file => read(`src/observe/${file}.ts`)).join('');
    const exported = [...code.matchAll(/'(millrace_\w*[a-z])'/g)].map(([, name = '']) => name);
    const listed = [...read('ops/metrics.md').matchAll(/^\| `(millrace_\w+)` \|/gm)].map(([, name = '']) => name);
    expect(exported.length).toBeGreaterThan(30);
    expect(listed.sort()).toEqual([...new Set(exported)].sort());
  });
});

describe('the files', () => {
  const ALLOWED = [
    /^package(-lock)?\.json$/,
    /^tsconfig(\.\w+)?\.json$/,
    /^(src|bench|test|native-notes|ops)$/,
    /^(Dockerfile|README\.md|CHANGELOG\.md|LICENSE)$/,
    // What a tool looks for at the top, and nowhere else.
    /^(\.ci|\.dockerignore|\.gitignore|\.npmrc|biome\.json|vitest\.config\.ts)$/,
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
