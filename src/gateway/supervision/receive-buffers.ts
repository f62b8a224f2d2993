/**
 * Bounds what the kernel receives of a client ahead of uWS. While a read fills uWS's 512 KiB, uWS reads on at that socket, and the
 * thread serves no other: a client that sends fast keeps it there, as the kernel buffers 6 MiB and more. A socket has its buffer
 * from the one that listens. Node sets buffers of UDP sockets only; its handle of one takes any socket, but cannot let go of it. So a
 * process of its own does it. Linux only. (native-notes/uws.md, "Reads without an end")
 */
import { spawn } from 'node:child_process';

/** The kernel takes twice as much, for its own needs too. Longer than any command, and shorter than one read of uWS's. */
export const RECEIVE_BUFFER_BYTES = 64 * 1024;
const TIMEOUT_MS = 10_000;
/** Those before it are the standard streams. */
const FIRST_DESCRIPTOR = 3;

/** As a program: sets the buffers of its descriptors from the first on, and fails where one is not as long afterwards. */
const PROGRAM = `
const { UDP } = process.binding('udp_wrap');
const [first, count, bytes] = process.argv.slice(1).map(Number);
for (let descriptor = first; descriptor < first + count; descriptor++) {
  const handle = new UDP();
  const failure = {};
  if (handle.open(descriptor) !== 0) throw new Error('the socket cannot be opened');
  handle.bufferSize(bytes, true, failure);
  const set = handle.bufferSize(0, true, failure);
  if (failure.code !== undefined || set !== 2 * bytes) throw new Error('the buffer has ' + set + ' bytes ' + (failure.code ?? ''));
}
process.exit(0);`;

/**
 * Bounds the buffers of all sockets that are accepted from now on.
 * @param descriptors of this process, of sockets that listen
 * @returns undefined when it is done, else why not
 */
export function boundReceiveBuffers(descriptors: readonly number[]): Promise<string | undefined> {
  if (descriptors.length === 0) return Promise.resolve(undefined);
  const sizes = [FIRST_DESCRIPTOR, descriptors.length, RECEIVE_BUFFER_BYTES].map(String);
  return new Promise(resolve => {
    const child = spawn(process.execPath, ['--no-deprecation', '--eval', PROGRAM, ...sizes], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'ignore', 'pipe', ...descriptors],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.on('error', cause => resolve(cause.message));
    child.on('close', code =>
      resolve(code === 0 ? undefined : (/^\w*Error: .*/m.exec(said)?.[0] ?? `exit code ${code}`)),
    );
  });
}
