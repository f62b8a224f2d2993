import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { readBody } from '../../../src/admin/body.js';

function request(): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  message.headers['content-type'] = 'application/json';
  return message;
}

it('R61 gives up a body that takes too long', async () => {
  const slow = request();
  slow.push('{');
  const body = await readBody(slow, 20);
  expect(body).toMatchObject({ ok: false, answer: { status: 408 } });
});

it('R61 fails when the connection breaks within a body', async () => {
  const broken = request();
  const reading = readBody(broken);
  broken.destroy(new Error('reset'));
  await expect(reading).rejects.toThrow('reset');
});
