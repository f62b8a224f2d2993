import { expect, it } from 'vitest';
import { AdminAccess } from '../../../src/admin/access.js';
import { readConfig } from '../../../src/config/environment.js';

const TOKEN = 'an-admin-token-of-thirty-two-bytes-or-more';

type Request = Parameters<AdminAccess['of']>[0];

it('R61 says that a name is no name to those alone who may use the port', async () => {
  const wrong: string[] = [];
  const access = new AdminAccess({
    config: () => readConfig({ ADMIN_TOKEN: TOKEN }),
    keys: { current: undefined, refresh: async () => undefined } as never,
    isRevoked: () => false,
    shownUser: String,
    onWrong: address => wrong.push(address),
    onFault: what => expect.fail(what),
  });
  const ask = (authorization: string | undefined, operator: string) =>
    access.of({
      headers: { authorization, 'x-operator': operator },
      socket: { remoteAddress: '192.0.2.1' },
    } as unknown as Request);
  expect(await ask(undefined, 'é')).toEqual({ ok: false, why: 'unauthorized' });
  expect(await ask('Bearer guess', 'é')).toEqual({ ok: false, why: 'unauthorized' });
  expect(wrong).toEqual(['192.0.2.1']);
  expect(await ask(`Bearer ${TOKEN}`, 'é')).toEqual({ ok: false, why: 'bad_operator' });
  expect(await ask(`Bearer ${TOKEN}`, 'carol')).toMatchObject({ ok: true, caller: { name: 'carol' } });
});
