/**
 * Which descriptor a thread's listening socket has, which uWS does not say. Another thread can serve it too, by that number, as a
 * process's descriptors are those of all its threads. (native-notes/listening.md) Linux only; elsewhere nothing is known.
 */
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { Cell } from './watchdog.js';

const ANY_FILE = '/dev/null';
/** Of /proc/net/tcp. */
const LISTENING = '0A';
const HEX = 16;
const PORT_DIGITS = 4;
const COLUMNS = { local: 1, state: 3, inode: 9 };

/** Listens by `listen`, and notes in the thread's row what the kernel has given it. */
export async function notingListener<T>(row: Int32Array, listen: () => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') return listen();
  // The lowest free one is the next that is given away: to the listening socket, unless another thread is quicker.
  const descriptor = openSync(ANY_FILE, 'r');
  closeSync(descriptor);
  const listening = listen();
  row[Cell.listener] = descriptor;
  row[Cell.listenerInode] = inodeOf(descriptor) ?? 0;
  return listening;
}

/** The descriptor that a row names, where that is still a socket which listens on this port; else undefined. */
export function listenerIn(row: Int32Array, port: number): number | undefined {
  const descriptor = row[Cell.listener] ?? 0;
  // Inodes have 32 bits without a sign.
  const inode = (row[Cell.listenerInode] ?? 0) >>> 0;
  return inode !== 0 && inodeOf(descriptor) === inode && inodesListeningOn(port).has(inode) ? descriptor : undefined;
}

function inodeOf(descriptor: number): number | undefined {
  const link = textOf(() => readlinkSync(`/proc/self/fd/${descriptor}`));
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  return inode === undefined ? undefined : Number(inode);
}

function inodesListeningOn(port: number): ReadonlySet<number> {
  const suffix = `:${port.toString(HEX).toUpperCase().padStart(PORT_DIGITS, '0')}`;
  const inodes = new Set<number>();
  for (const table of ['tcp', 'tcp6']) {
    for (const line of textOf(() => readFileSync(`/proc/self/net/${table}`, 'latin1')).split('\n')) {
      const columns = line.trim().split(/\s+/);
      if (columns[COLUMNS.state] !== LISTENING || columns[COLUMNS.local]?.endsWith(suffix) !== true) continue;
      inodes.add(Number(columns[COLUMNS.inode]));
    }
  }
  return inodes;
}

/** Empty where the system has no such file. */
function textOf(read: () => string): string {
  try {
    return read();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EINVAL') return '';
    throw cause;
  }
}
