/** R66: what the Dockerfile and compose.yaml promise, as far as their text shows it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseDurationMs } from '../../../src/config/duration.js';
import { readConfig } from '../../../src/config/environment.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const OPS = join(ROOT, 'ops');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** Instructions of each stage, from its FROM on; before the first stands what comes before any. */
function stagesOf(dockerfile: string): Instruction[][] {
  const lines = dockerfile
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n');
  const stages: Instruction[][] = [[]];
  for (const line of lines.filter(each => each.trim() !== '')) {
    const [, name = '', text = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') stages.push([]);
    stages.at(-1)?.push({ name, text });
  }
  return stages;
}

/** Whether the build gets the file: a later line of .dockerignore overrides an earlier one. */
function isSent(file: string): boolean {
  let isIgnored = false;
  for (const line of read('.dockerignore').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const pattern = line.replace(/^!/, '');
    const isFolder = file.startsWith(`${pattern}/`);
    const isMatch = pattern === '*' || pattern === file || isFolder;
    const isAny = pattern.endsWith('/*') && file.startsWith(pattern.slice(0, -1));
    if (isMatch || isAny) isIgnored = !line.startsWith('!');
  }
  return !isIgnored;
}

describe('R66 the Dockerfile', () => {
  const [globals = [], ...stages] = stagesOf(read('Dockerfile'));
  const last = stages.at(-1) ?? [];
  const inLast = (name: string): string[] => last.filter(each => each.name === name).map(({ text }) => text);

  it('R66 has known instructions, and stages on base images that a build can choose', () => {
    const known = [
      'FROM',
      'ARG',
      'WORKDIR',
      'COPY',
      'RUN',
      'LABEL',
      'ENV',
      'USER',
      'EXPOSE',
      'HEALTHCHECK',
      'ENTRYPOINT',
    ];
    const names = [...globals, ...stages.flat()].map(({ name }) => name);
    expect(names.filter(name => ![...known, 'CMD'].includes(name))).toEqual([]);
    const bases = globals.map(({ text }) => text.split('=')[0]);
    expect(bases).toEqual(['NODE_IMAGE', 'BASE_IMAGE']);
    const from = stages.map(([first]) => /^\$\{(\w+)\}( AS (\w+))?$/.exec(first?.text ?? ''));
    expect(from.map(match => match?.[1])).toEqual(['NODE_IMAGE', 'NODE_IMAGE', 'BASE_IMAGE']);
    expect(globals.map(({ text }) => text.split('=')[1])).toEqual([
      expect.stringMatching(/trixie-slim/),
      expect.stringMatching(/trixie-slim/),
    ]);
  });

  it('R66 copies files that are there and reach the build, and folders of stages that it names', () => {
    const copies = stages.flat().filter(({ name }) => name === 'COPY');
    const named = stages.map(([first]) => / AS (\w+)$/.exec(first?.text ?? '')?.[1]);
    let checked = 0;
    for (const { text } of copies) {
      const [first = '', ...rest] = text.split(/\s+/);
      const stage = /^--from=(\w+)$/.exec(first)?.[1];
      if (stage !== undefined) {
        expect(named, text).toContain(stage);
        continue;
      }
      for (const source of [first, ...rest.slice(0, -1)]) {
        checked++;
        expect([source, existsSync(join(ROOT, source)), isSent(source)]).toEqual([source, true, true]);
      }
    }
    expect(checked).toBeGreaterThan(8);
    for (const file of [
      'README.md',
      'ops/compose.yaml',
      'ops/compose/secrets/jwt-secret',
      'node_modules/x',
      '.git/x',
    ]) {
      expect([file, isSent(file)]).toEqual([file, false]);
    }
  });

  it('R66 runs as a user that is not root, by number, and checks its health without Node', () => {
    expect(inLast('USER')).toEqual([expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/)]);
    const [health = ''] = inLast('HEALTHCHECK');
    expect(health).toMatch(/CMD \["\/app\/healthcheck\.sh"\]$/);
    expect(read('ops/container/healthcheck.sh')).not.toMatch(/^[^#]*\bnode\b/m);
    // In JSON: a shell would keep SIGTERM from the gateway.
    expect([inLast('ENTRYPOINT'), inLast('CMD')].flat().map(text => JSON.parse(text))).toEqual([
      ['millrace'],
      ['serve'],
    ]);
  });

  it('R66 has the labels of OCI, the version of the package, and the bill of materials', () => {
    const [labels = ''] = inLast('LABEL');
    for (const label of ['title', 'description', 'version', 'revision', 'licenses']) {
      expect(labels).toContain(`org.opencontainers.image.${label}=`);
    }
    const { version, scripts } = JSON.parse(read('package.json')) as {
      version: string;
      scripts: Record<string, string>;
    };
    expect(inLast('ARG')).toContain(`VERSION=${version}`);
    expect(scripts.sbom).toContain('npm sbom');
    expect(stages.flat().map(({ text }) => text)).toContain('npm run --silent sbom > sbom.cdx.json');
    expect(inLast('COPY')).toContain('--from=build /app/sbom.cdx.json ./');
  });
});

interface Service {
  readonly image?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly restart?: string;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly stop_grace_period?: string;
  readonly ulimits?: { readonly nofile?: number };
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly network_mode?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(read('ops/compose.yaml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const of = (name: string): Service => compose.services[name] ?? {};
/** `${NAME:-default}` as Compose fills it in where the variable is unset. */
const filledIn = (text: string): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');

describe('R66 compose.yaml', () => {
  it('R66 has the whole site', () => {
    const wanted = ['nats-1', 'nats-2', 'nats-3', 'gateway-1', 'gateway-2', 'haproxy', 'publisher'];
    expect(services.map(([name]) => name)).toEqual([...wanted, 'prometheus', 'alertmanager', 'grafana']);
  });

  it.each(services)('R66 lets %s do nothing that it need not', (_name, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(service).toMatchObject({ restart: 'unless-stopped', stop_grace_period: expect.any(String) });
    expect(service.healthcheck?.test !== undefined || service.healthcheck?.disable === true).toBe(true);
    // A digest can take the place of each tag.
    expect(service.image).toMatch(/^\$\{[A-Z]+_IMAGE:-[^}]+:[^}]+\}$/);
  });

  it('R66 lets other machines reach the port of clients alone', () => {
    const open = services.flatMap(([name, { ports = [] }]) =>
      ports.filter(port => !port.startsWith('127.0.0.1:')).map(port => `${name} ${filledIn(port)}`),
    );
    expect(open).toEqual(['haproxy 8080:8080']);
  });

  it('R66 has secrets in files alone, which a script writes', () => {
    const script = read('ops/compose/secrets.sh');
    for (const { file } of Object.values(compose.secrets)) {
      expect(script).toContain(`random ${file.replace('./compose/secrets/', '')}\n`);
    }
    const inEnvironment = services.flatMap(([, { environment = {} }]) =>
      Object.keys(environment).filter(name => /SECRET$|TOKEN$|PASSWORD$/.test(name)),
    );
    expect(inEnvironment).toEqual([]);
    expect(read('.gitignore')).toContain('/ops/compose/secrets/');
  });

  it.each(['gateway-1', 'gateway-2'])('R66 gives %s settings that are right, time to drain, and descriptors', name => {
    const service = of(name);
    const values = Object.fromEntries(
      Object.entries(service.environment ?? {}).map(([variable, value]) =>
        // Each names a secret of the service; what the file would hold is any.
        value.startsWith('/run/secrets/')
          ? [variable.replace(/_FILE$/, ''), 'x'.repeat(64)]
          : [variable, filledIn(value)],
      ),
    );
    const files = Object.values(service.environment ?? {}).filter(value => value.startsWith('/run/secrets/'));
    expect(files.map(file => file.replace('/run/secrets/', '')).sort()).toEqual([...(service.secrets ?? [])].sort());
    const config = readConfig(values);
    expect(config).toMatchObject({ nodeName: name, feed: 'nats', nats: { jetstream: true, streamReplicas: 3 } });
    const neededMs = config.times.drainDelayMs + config.times.drainTimeoutMs + 10_000;
    expect(parseDurationMs(service.stop_grace_period ?? '')).toBeGreaterThanOrEqual(neededMs);
    expect(service.ulimits?.nofile).toBeGreaterThan(config.limits.connectionsMax);
  });

  it('R66 mounts files of ops/, and volumes that it names', () => {
    const mounts = services.flatMap(([, { volumes = [] }]) => volumes.map(text => text.split(':')[0] ?? ''));
    const [files, names] = [
      mounts.filter(each => each.startsWith('./')),
      mounts.filter(each => !each.startsWith('./')),
    ];
    const missing = files.filter(file => !file.startsWith('./compose/secrets/') && !existsSync(join(OPS, file)));
    expect(missing).toEqual([]);
    expect(new Set(names)).toEqual(new Set(Object.keys(compose.volumes)));
  });

  it('R66 asks the gateways by names that they accept', () => {
    const allowed = (of('gateway-1').environment?.ALLOWED_HOSTS ?? '').split(',');
    const [{ targets } = { targets: [] }] = parse(read('ops/compose/targets/gateways.yml')) as { targets: string[] }[];
    expect(targets).toEqual(['gateway-1:9090', 'gateway-2:9090']);
    expect(targets.filter(target => !allowed.includes(target.split(':')[0] ?? ''))).toEqual([]);
    expect(allowed).toContain(/hdr Host (\S+)/.exec(read('ops/compose/haproxy.cfg'))?.[1]);
  });

  const version = spawnSync('docker-compose', ['--version'], { encoding: 'utf8' });
  const problem =
    version.status === 0 ? '' : ' (skipped: docker-compose is not installed: apt-get install docker-compose)';
  it.skipIf(version.status !== 0)(`R66 is a Compose file, says docker-compose config${problem}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-compose-'));
    afterAll(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'compose.yaml');
    // Version 1 knows all of it but the name of the project.
    writeFileSync(file, read('ops/compose.yaml').replace(/^name: millrace$/m, ''));
    const run = spawnSync('docker-compose', ['-f', file, '--project-directory', OPS, 'config'], { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(Object.keys((parse(run.stdout) as Compose).services).sort()).toEqual(Object.keys(compose.services).sort());
  });
});
