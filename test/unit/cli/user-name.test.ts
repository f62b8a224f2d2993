import { expect, it, vi } from 'vitest';

vi.mock('node:os', async original => ({
  ...(await original<typeof import('node:os')>()),
  userInfo: () => {
    throw new Error('uv_os_get_passwd returned ENOENT');
  },
}));

it('R61 does without the name of a user that the system does not know, as in a container', async () => {
  const { userName } = await import('../../../src/cli/user-name.js');
  expect(userName()).toBe('');
});
