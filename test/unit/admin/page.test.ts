import { expect, it } from 'vitest';
import { z } from 'zod';
import { cursor, cursorOf } from '../../../src/admin/page.js';
import { isUser, USER_BYTES_MAX } from '../../../src/protocol/user-subject.js';

it('R61 takes the cursor of any topic back, however its user is called', () => {
  const key = z.tuple([z.number(), z.string()]);
  for (const character of ['a', '"', '\u0001', '\u00e9']) {
    const user = character.repeat(USER_BYTES_MAX / Buffer.byteLength(character));
    expect(isUser(user)).toBe(true);
    const last = [1_234.5, `orders:${user}`];
    expect(cursor(key).parse(cursorOf(last))).toEqual(last);
  }
});
