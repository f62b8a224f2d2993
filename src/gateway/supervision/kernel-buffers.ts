/**
 * Bounds what the kernel buffers for each client. Accepted sockets inherit these options from the listening one; neither
 * uWS nor Node sets them, so setsockopt is called natively, through koffi. Linux only.
 *
 * - **Receive buffer.** As long as a read fills uWS's 512 KiB, uWS keeps reading that socket and the thread serves no
 *   other. The kernel buffers 6 MiB and more, so a fast sender can keep it there. (native-notes/uws.md, "Reads without an
 *   end")
 * - **Unsent bytes.** By default the kernel takes some 4 MiB for a client that does not read, out of sight of
 *   `getBufferedAmount`: prices are seconds old before anything is noticed. (native-notes/uws.md, "What the kernel hides")
 */

/**
 * The kernel allocates twice as much, including its own overhead. Longer than any command, and shorter than one read
 * of uWS.
 */
export const RECEIVE_BUFFER_BYTES = 64 * 1024;

/** Linux's numbers. */
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const IPPROTO_TCP = 6;
const TCP_NOTSENT_LOWAT = 25;
const INT_BYTES = 4;

/** What libc's function of that name does to one option that is an int. */
interface SocketCalls {
  set(descriptor: number, level: number, option: number, value: number): void;
  get(descriptor: number, level: number, option: number): number;
}

/**
 * Bounds the buffers of all sockets accepted from now on.
 * @param descriptors listening sockets of this process
 * @returns undefined on success, otherwise the reason
 */
export async function boundKernelBuffers(
  descriptors: readonly number[],
  unsentBytesMax: number,
): Promise<string | undefined> {
  if (descriptors.length === 0) return undefined;
  try {
    const calls = await socketCalls();
    for (const descriptor of descriptors) {
      calls.set(descriptor, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
      calls.set(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsentBytesMax);
      const received = calls.get(descriptor, SOL_SOCKET, SO_RCVBUF);
      if (received !== 2 * RECEIVE_BUFFER_BYTES) return `the receive buffer has ${received} bytes`;
      const unsent = calls.get(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT);
      if (unsent !== unsentBytesMax) return `the kernel keeps ${unsent} unsent bytes`;
    }
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

/** What an operator can do about it. */
export const unboundBuffers = (failure: string): string =>
  'cannot bound what the kernel buffers for clients; set net.ipv4.tcp_notsent_lowat and net.ipv4.tcp_rmem instead ' +
  `(ops/slow-clients.md): ${failure}`;

/** @throws {Error} where koffi is not installed or has no binary for this platform */
async function socketCalls(): Promise<SocketCalls> {
  const { default: koffi } = await import('koffi');
  // The C library that this process runs on, whichever that is.
  const library = koffi.load(null);
  const setsockopt = library.func('int setsockopt(int, int, int, const void *, uint32_t)');
  const getsockopt = library.func('int getsockopt(int, int, int, void *, void *)');
  const succeeded = (result: unknown, name: string) => {
    if (result !== 0) throw new Error(`${name} failed with error number ${koffi.errno()}`);
  };
  return {
    set(descriptor, level, option, value) {
      succeeded(setsockopt(descriptor, level, option, new Int32Array([value]), INT_BYTES), 'setsockopt');
    },
    get(descriptor, level, option) {
      const value = new Int32Array(1);
      succeeded(getsockopt(descriptor, level, option, value, new Int32Array([INT_BYTES])), 'getsockopt');
      return value[0] as number;
    },
  };
}
