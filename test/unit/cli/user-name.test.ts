import { userInfo } from 'node:os';
import { expect, it } from 'vitest';
import { userName } from '../../../src/cli/user-name.js';

it('R61 does without the name of a user that the system does not know, as in a container', () => {
  const unknown = () => {
    throw new Error('uv_os_get_passwd returned ENOENT');
  };
  expect(userName(unknown)).toBe('');
  expect(userName()).toBe(userInfo().username);
});
