/** Memory of processes and of the kernel's sockets, from Linux's /proc; NaN elsewhere. */
import { readFileSync } from 'node:fs';

const PAGE_BYTES = 4096;
const KIB = 1024;

interface ProcessMemory {
  /** All that is resident, shared libraries included. */
  readonly residentBytes: number;
  /** Not shared with any other process: what this process alone costs. */
  readonly privateBytes: number;
}

interface KernelMemory {
  /** Buffers of all TCP sockets of the machine. */
  readonly socketBufferBytes: number;
  /** The kernel's own objects of the whole machine, sockets among them; other programs move it too. */
  readonly slabBytes: number;
  readonly tcpSockets: number;
}

export function processMemory(pid: number): ProcessMemory {
  const rollup = read(`/proc/${pid}/smaps_rollup`);
  return {
    residentBytes: kib(rollup, 'Rss'),
    privateBytes: kib(rollup, 'Private_Clean') + kib(rollup, 'Private_Dirty'),
  };
}

/** Resident memory alone: cheap enough to be read many times a second. */
export function residentBytes(pid: number): number {
  const pages = Number(read(`/proc/${pid}/statm`).split(' ')[1]);
  return pages * PAGE_BYTES;
}

export function kernelMemory(): KernelMemory {
  const tcp = /^TCP: inuse (\d+) .* mem (\d+)/m.exec(read('/proc/net/sockstat'));
  return {
    socketBufferBytes: tcp === null ? Number.NaN : Number(tcp[2]) * PAGE_BYTES,
    slabBytes: kib(read('/proc/meminfo'), 'Slab'),
    tcpSockets: tcp === null ? Number.NaN : Number(tcp[1]),
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // No such file on this system, or the process is gone: the figures are then NaN.
    return '';
  }
}

function kib(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
  return found === undefined ? Number.NaN : Number(found) * KIB;
}
