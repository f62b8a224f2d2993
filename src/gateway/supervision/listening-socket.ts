/**
 * Finds the descriptor of a thread's listening socket, which uWS does not tell. Another thread can serve the socket by
 * that number, because all threads of a process share its descriptors. (native-notes/listening.md) Linux only; on
 * other systems nothing is found.
 */
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { Cell } from './watchdog.js';

const ANY_FILE = '/dev/null';
/** As in /proc/net/tcp. */
const LISTENING = '0A';
const HEX = 16;
const PORT_DIGITS = 4;
const COLUMNS = { local: 1, state: 3, inode: 9 };

/** Listens by calling `listen`, and records the socket's descriptor in the thread's row. */
export async function notingListener<T>(row: Int32Array, listen: () => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') return listen();
  // The kernel assigns the lowest free descriptor next: to the listening socket, unless another thread is faster.
  const descriptor = openSync(ANY_FILE, 'r');
  closeSync(descriptor);
  const listening = listen();
  row[Cell.listener] = descriptor;
  row[Cell.listenerInode] = inodeOf(descriptor) ?? 0;
  return listening;
}

/** The descriptor in a row, if it is still a socket that listens on this port; otherwise undefined. */
export function listenerIn(row: Int32Array, port: number): number | undefined {
  const descriptor = row[Cell.listener] ?? 0;
  // Inodes are unsigned 32-bit numbers.
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

/** Empty when the system has no such file. */
function textOf(read: () => string): string {
  try {
    return read();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EINVAL') return '';
    throw cause;
  }
}
