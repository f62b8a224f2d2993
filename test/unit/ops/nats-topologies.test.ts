/** ops/nats: users of regions and edges have the rights that they have elsewhere, and the scripts check what they are told. */
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { type Kind, rightsIn, rightsOf } from '../../support/nats-rights.js';

const FOLDER = fileURLToPath(new URL('../../../ops/nats/', import.meta.url));
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8');
const KINDS: readonly Kind[] = ['publish', 'subscribe', 'allow_responses'];

const subjects = (file: string, user: string, kind: Kind) =>
  rightsIn(read(file))
    .filter(right => right.role === user && right.kind === kind)
    .map(({ subject }) => subject)
    .sort();

/** Of both ready configurations of one server together. */
const usual = (role: string, kind: Kind) => {
  const rights = (['core', 'jetstream'] as const).flatMap(setup => rightsOf(setup));
  const own = rights.filter(right => right.role === role && right.kind === kind).map(({ subject }) => subject);
  return [...new Set(own)].sort();
};

const inDomain = (subject: string) => subject.replace(/^\$JS\.API/, '$JS.hub.API').replace(/^\$KV/, '$JS.hub.API.$KV');

describe('R68 ops/nats/accounts-regions.conf', () => {
  it('R68 gives gateways and publishers the rights that they have at one server', () => {
    for (const kind of KINDS)
      expect(subjects('accounts-regions.conf', 'gateway', kind)).toEqual(usual('gateway', kind));
    for (const kind of KINDS)
      expect(subjects('accounts-regions.conf', 'publisher', kind)).toEqual(usual('publisher', kind));
  });

  it('R68 gives administrators theirs, and replies of their own', () => {
    const to = (subject: string) => subject.replace('_INBOX.', '_INBOX_administrator.');
    for (const kind of KINDS)
      expect(subjects('accounts-regions.conf', 'administrator', kind)).toEqual(usual('administrator', kind).map(to));
  });

  it('R68 gives an edge the rights of its gateways, and answers to administrators', () => {
    const own = (kind: Kind) => subjects('accounts-edge.conf', 'gateway', kind);
    const replies = (subject: string) => subject.replace('_INBOX.', '_INBOX_edge.');
    expect(own('publish')).toEqual(usual('gateway', 'publish').map(inDomain).sort());
    expect(own('subscribe')).toEqual(usual('gateway', 'subscribe').map(replies).sort());
    const edge = (kind: Kind) => subjects('accounts-regions.conf', 'edge', kind);
    expect(edge('publish')).toEqual([...own('publish'), '_INBOX_administrator.>'].sort());
    expect(edge('subscribe')).toEqual(own('subscribe'));
  });
});

describe('R68 ops/nats/topologies.md', () => {
  it('R68 lists every variable that a configuration reads, and no other', () => {
    const files = readdirSync(FOLDER).filter(file => /^(one-node|cluster|region|edge|accounts-\w+)\.conf$/.test(file));
    const text = files.map(file => read(file).replace(/#.*$/gm, '')).join('\n');
    const used = new Set([...text.matchAll(/\$(NATS_\w+)/g)].map(([, name]) => name));
    const rows = [...read('topologies.md').matchAll(/^\| (`NATS_.*?`) \|/gm)];
    const listed = new Set(rows.flatMap(([, cell = '']) => [...cell.matchAll(/NATS_\w+/g)].map(([name]) => name)));
    expect(used.size).toBeGreaterThan(15);
    expect(listed).toEqual(used);
  });
});

describe('R68 ops/nats/credentials.sh', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-credentials-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const run = (...args: string[]) => spawnSync(join(FOLDER, 'credentials.sh'), args, { encoding: 'utf8' });
  const at = (name: string) => join(folder, 'secrets', name);
  const certificate = (name: string) => new X509Certificate(readFileSync(at(name)));

  it('R68 makes certificates for the names and addresses of each node, which others cannot read', () => {
    const made = run(at(''), 'n1', 'n2,nats-2.example.com,10.0.0.2');
    expect([made.status, made.stderr]).toEqual([0, '']);
    expect(certificate('n2.pem').subjectAltName).toBe(
      'DNS:n2, DNS:localhost, IP Address:127.0.0.1, DNS:nats-2.example.com, IP Address:10.0.0.2',
    );
    expect(certificate('n1.pem').checkIssued(certificate('ca.pem'))).toBe(true);
    for (const file of readdirSync(at(''))) expect(statSync(at(file)).mode & 0o077, file).toBe(0);
    expect(readFileSync(at('servers.env'), 'utf8')).toMatch(/^(NATS_[A-Z]+_PASSWORD=p[0-9a-f]{48}\n){4}$/);
  });

  it('R68 keeps what is there, and gives edges another authority and other passwords', () => {
    const before = readFileSync(at('n1.pem'), 'utf8') + readFileSync(at('servers.env'), 'utf8');
    expect(run(at(''), '--edge', 'edge1').status).toBe(0);
    expect(run(at(''), 'n1').stdout).toBe('');
    expect(readFileSync(at('n1.pem'), 'utf8') + readFileSync(at('servers.env'), 'utf8')).toBe(before);
    expect(certificate('edge1.pem').checkIssued(certificate('edge-ca.pem'))).toBe(true);
    expect(certificate('edge1.pem').checkIssued(certificate('ca.pem'))).toBe(false);
    expect(before).not.toContain(readFileSync(at('edge.env'), 'utf8').split('=')[1]);
  });

  it.each([
    [['n1;reboot'], 'n1;reboot: a name or an address has'],
    [['../n1'], '../n1: a name or an address has'],
    [['-n'], '-n: a name or an address has'],
    [['ca'], "'ca' is no name for a node"],
    [['n9', 'n'.repeat(65)], 'at most 64'],
    [[], 'usage: '],
    [['--edge'], 'usage: '],
  ])('R68 refuses %o, and makes nothing', (names, words) => {
    const folderBefore = readdirSync(at(''));
    const refused = run(at(''), ...names);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain(words);
    expect(readdirSync(at(''))).toEqual(folderBefore);
  });
});
