import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPolicy, POLICY_ENTRIES_MAX } from '../../../src/auth/policy.js';
import { ConfigError } from '../../../src/config/config-error.js';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-policy-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function policyFile(text: string): Promise<string> {
  const path = join(directory, 'policy.json');
  await writeFile(path, text);
  return path;
}
const policyOf = async (roles: Record<string, readonly string[]>) =>
  openPolicy(await policyFile(JSON.stringify({ roles })));

describe('R32 a policy', () => {
  it('demands one of the roles of a pattern that matches', async () => {
    const policy = await policyOf({ 'analytics:exposure-updates': ['risk', 'admin'] });
    expect(policy.allows(['risk'], 'analytics', 'exposure-updates')).toBe(true);
    expect(policy.allows(['trader', 'admin'], 'analytics', 'exposure-updates')).toBe(true);
    expect(policy.allows(['trader'], 'analytics', 'exposure-updates')).toBe(false);
    expect(policy.allows([], 'analytics', 'exposure-updates')).toBe(false);
  });

  it('demands nothing where no pattern matches', async () => {
    const policy = await policyOf({ 'rooms:ops-*': ['ops'] });
    expect(policy.allows([], 'rooms', 'desk-7')).toBe(true);
    expect(policy.allows([], 'analytics', 'alerts')).toBe(true);
    expect(policy.allows([], 'rooms', 'ops-1')).toBe(false);
    expect(policy.allows([], 'quotes', 'ops-1')).toBe(true);
  });

  it('demands a role of every pattern that matches', async () => {
    const policy = await policyOf({ 'rooms:*': ['staff'], 'rooms:ops-*': ['ops'] });
    expect(policy.allows(['staff'], 'rooms', 'ops-1')).toBe(false);
    expect(policy.allows(['ops'], 'rooms', 'ops-1')).toBe(false);
    expect(policy.allows(['ops', 'staff'], 'rooms', 'ops-1')).toBe(true);
    expect(policy.allows(['staff'], 'rooms', 'lobby')).toBe(true);
  });

  it('lets nobody have all symbols at once who may not have each of them', async () => {
    const policy = await policyOf({ 'trades:BTC/*': ['crypto'], 'trades:AAPL': ['shares'] });
    expect(policy.allows([], 'trades', 'MSFT')).toBe(true);
    expect(policy.allows([], 'trades', '*')).toBe(false);
    expect(policy.allows(['crypto'], 'trades', '*')).toBe(false);
    expect(policy.allows(['crypto', 'shares'], 'trades', '*')).toBe(true);
  });

  it('R74 names the market data that it keeps for other roles', async () => {
    const policy = await policyOf({
      'depth:*.L': ['london', 'admin'],
      'analytics:exposure-updates': ['risk'],
      'trades:BTC/*': ['crypto'],
    });
    expect(policy.reserves([])).toEqual(['depth:*.L', 'trades:BTC/*']);
    expect(policy.reserves(['london', 'risk'])).toEqual(['trades:BTC/*']);
    expect(policy.reserves(['admin', 'crypto'])).toEqual([]);
  });

  it('I1 adds the entitlements of roles, each of them, and nothing for a role that it does not name', async () => {
    const entitlements = { risk: ['analytics:*'], desk: ['rooms:desk-*', 'trades:full'] };
    const policy = await openPolicy(await policyFile(JSON.stringify({ entitlements })));
    expect(policy.grants(['risk', 'desk', 'Risk', '__proto__', 'constructor'])).toEqual([
      'analytics:*',
      'rooms:desk-*',
      'trades:full',
    ]);
    expect(policy.grants([])).toEqual([]);
    expect(policy.allows([], 'analytics', 'alerts')).toBe(true);
  });

  it('takes a role for what it says, letter by letter', async () => {
    const policy = await policyOf({ 'rooms:ops': ['admin'] });
    expect(policy.allows(['Admin', 'admin ', 'administrator', 'adm*'], 'rooms', 'ops')).toBe(false);
  });

  it('allows everything when there is none', async () => {
    const policy = await openPolicy(undefined);
    expect(policy.allows([], 'analytics', 'exposure-updates')).toBe(true);
    expect(policy.allows([], 'trades', '*')).toBe(true);
  });
});

describe('R32 a policy file that cannot be used stops the start, naming POLICY_FILE', () => {
  async function failure(path: string): Promise<ConfigError> {
    const error: unknown = await openPolicy(path).catch(reason => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message).toMatch(/^POLICY_FILE="/);
    return error as ConfigError;
  }

  it.each([
    ['futures:ES', 'must begin with a stream'],
    ['quotes', 'must be stream:pattern'],
    ['quotes:', 'must be stream:pattern'],
    ['quotes:A B', 'must be stream:pattern'],
    ['rooms:>', 'must be stream:pattern'],
    ['*:AAPL', 'must begin with a stream'],
    ['__proto__', 'must begin with a stream'],
    ['trades:full', 'is not a topic'],
    ['analytics:exposure-update', 'matches no channel'],
    ['analytics:admin-*', 'matches no channel'],
  ])('and the entry %s', async (topic, expected) => {
    const { message } = await failure(await policyFile(`{"roles":{"rooms:fine":["ops"],"${topic}":["risk"]}}`));
    expect(message).toContain(`roles["${topic}"]: ${expected}`);
  });

  it.each(['"risk"', '[]', '[1]', '[""]', 'null', '{"risk":true}'])('and the roles %s', async roles => {
    const { message } = await failure(await policyFile(`{"roles":{"rooms:ops":${roles}}}`));
    expect(message).toContain('roles["rooms:ops"]: must be a list of roles');
  });

  it.each(['[]', 'null', '{}', '{"role":{}}', '{"roles":[]}', '7'])(
    'and what must be there instead of %s',
    async text => {
      expect((await failure(await policyFile(text))).message).toContain('must hold {"roles":');
    },
  );

  it.each(['"quotes:*"', '[]', '["everything"]', '[7]', 'null'])('I1 and the entitlements %s', async entitlements => {
    const { message } = await failure(await policyFile(`{"entitlements":{"risk":${entitlements}}}`));
    expect(message).toContain('entitlements["risk"]: must be a list of stream:pattern');
  });

  it('and a member that it does not know', async () => {
    expect((await failure(await policyFile('{"roles":{},"deny":{}}'))).message).toContain('"deny" is unknown');
  });

  it('and that it is not JSON', async () => {
    expect((await failure(await policyFile('roles: none'))).message).toContain('is not JSON');
  });

  it('and that it cannot be read, with the cause', async () => {
    const error = await failure(join(directory, 'missing.json'));
    expect(error.message).toContain('cannot be read');
    expect(error.cause).toMatchObject({ code: 'ENOENT' });
  });

  it('and how many entries it may have', async () => {
    const entries = Array.from({ length: POLICY_ENTRIES_MAX + 1 }, (_, i) => [`rooms:r${i}`, ['a']]);
    const { message } = await failure(await policyFile(JSON.stringify({ roles: Object.fromEntries(entries) })));
    expect(message).toContain(`at most ${POLICY_ENTRIES_MAX}`);
  });
});
