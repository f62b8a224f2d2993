import { describe, expect, it } from 'vitest';
import { ANY_MESSAGE_BYTES_MAX, largeMessage } from '../../../../src/gateway/commands/large-messages.js';
import { newCredential } from '../../../support/new-session.js';

const of = (sub: string) => ({ credential: newCredential({ sub, tier: 'retail' }) });
const message = (head: string, bytes: number): ArrayBuffer => {
  const text = Buffer.alloc(bytes, 'x');
  text.write(head);
  return text.buffer.slice(text.byteOffset, text.byteOffset + bytes);
};
const ROOM_BYTES_MAX = 64 * 1024;
const PUBLISH = '{"action":"publish","stream":"rooms"';

describe('J1: what is over 64 KiB is read only where it can be a room message', () => {
  it.each([
    ['a subscribe of 64 KiB', '', '{"action":"subscribe"', ANY_MESSAGE_BYTES_MAX, 'taken'],
    ['one byte more', 'alice', '{"action":"subscribe"', ANY_MESSAGE_BYTES_MAX + 1, 'refused'],
    ['a publish', 'alice', PUBLISH, 200_000, 'taken'],
    ['a publish that is too long whatever it says', 'alice', PUBLISH, 400_000, 'too_long'],
    ['a publish in MessagePack', 'alice', '\x84\xa6action\xa7publish', 200_000, 'taken'],
    ['a publish of somebody without a credential', '', PUBLISH, 200_000, 'refused'],
    ['an unsubscribe', 'alice', '{"action":"unsubscribe"', 652_000, 'refused'],
    ['brackets', 'alice', '[[[[[[[[[[', 1_000_000, 'refused'],
    ['nothing', '', '', 0, 'taken'],
  ])('%s', (_, sub, head, bytes, taken) => {
    expect(largeMessage(of(sub), message(head, bytes), ROOM_BYTES_MAX)).toBe(taken);
  });
});
