/** The kernel's bounds for each client, on real sockets. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { boundKernelBuffers, RECEIVE_BUFFER_BYTES } from '../../../../src/gateway/supervision/kernel-buffers.js';
import { until } from '../../../support/until.js';

const UNSENT_BYTES_MAX = 64 * 1024;
/** Far more than the kernel takes by default. */
const WRITTEN_BYTES = 16 * 1024 * 1024;

const isLinux = process.platform === 'linux';
const hasKoffi = await import('koffi').then(
  () => true,
  () => false,
);
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const descriptorOf = (server: Server) => (server as unknown as { _handle: { fd: number } })._handle.fd;

/** How much the kernel takes for a client that does not read. */
async function takenBytes(unsentBytesMax: number | undefined): Promise<number> {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  if (unsentBytesMax !== undefined) {
    expect(await boundKernelBuffers([descriptorOf(server)], unsentBytesMax)).toBeUndefined();
  }
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  ends.push(() => client.destroy());
  const [socket] = await accepted;
  ends.push(() => socket.destroy());
  const part = Buffer.alloc(16 * 1024);
  for (let written = 0; written < WRITTEN_BYTES; written += part.length) socket.write(part);
  let before = -1;
  await until(() => {
    const isSteady = socket.bytesWritten - socket.writableLength === before;
    before = socket.bytesWritten - socket.writableLength;
    return isSteady && before > 0;
  });
  return before;
}

describe('S1 what the kernel buffers', () => {
  it.skipIf(!isLinux || !hasKoffi)(
    'S1 R16 for a client that does not read is bounded by the listening socket’s options (skipped without Linux and koffi)',
    async () => {
      const [bounded, free] = [await takenBytes(UNSENT_BYTES_MAX), await takenBytes(undefined)];
      expect(bounded).toBeLessThan(free / 2);
    },
  );

  it('S1 says why it cannot be bounded', async () => {
    // No socket has this descriptor.
    expect(await boundKernelBuffers([2 ** 30], UNSENT_BYTES_MAX)).toMatch(/setsockopt|koffi/);
    expect(await boundKernelBuffers([], UNSENT_BYTES_MAX)).toBeUndefined();
    expect(RECEIVE_BUFFER_BYTES).toBeLessThan(512 * 1024);
  });
});
