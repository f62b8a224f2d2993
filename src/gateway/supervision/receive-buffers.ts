/**
 * Bounds how much the kernel receives from a client ahead of uWS. As long as a read fills uWS's 512 KiB, uWS keeps
 * reading that socket and the thread serves no other. The kernel buffers 6 MiB and more, so a fast sender can keep it
 * there. An accepted socket inherits its buffer size from the listening one. Node sets buffer sizes only for UDP
 * sockets; its UDP handle accepts any socket, but cannot release it. So a separate process does it. Linux only.
 * (native-notes/uws.md, "Reads without an end")
 */
import { spawn } from 'node:child_process';

/**
 * The kernel allocates twice as much, including its own overhead. Longer than any command, and shorter than one read
 * of uWS.
 */
const RECEIVE_BUFFER_BYTES = 64 * 1024;
const TIMEOUT_MS = 10_000;
/** The descriptors before it are the standard streams. */
const FIRST_DESCRIPTOR = 3;

/**
 * The child program: sets the buffer size of its descriptors from the first on, and fails if one has another size
 * afterwards.
 */
const PROGRAM = `
const { UDP } = process.binding('udp_wrap');
const [first, count, bytes] = process.argv.slice(1).map(Number);
for (let descriptor = first; descriptor < first + count; descriptor++) {
  const handle = new UDP();
  const failure = {};
  if (handle.open(descriptor) !== 0) throw new Error('cannot open the socket');
  handle.bufferSize(bytes, true, failure);
  const set = handle.bufferSize(0, true, failure);
  if (failure.code !== undefined || set !== 2 * bytes) throw new Error('the buffer has ' + set + ' bytes ' + (failure.code ?? ''));
}
process.exit(0);`;

/**
 * Bounds the buffers of all sockets accepted from now on.
 * @param descriptors listening sockets of this process
 * @returns undefined on success, otherwise the reason
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
