/** Limits of this machine that a number of connections runs into; said before a run, not found in its middle. */
import { readFileSync } from 'node:fs';
import { MissingPrerequisite } from './prerequisite.js';

/** Files that a process of a benchmark has open besides its connections: modules, pipes, NATS, timers. */
const OTHER_FILES = 200;
/** Local ports that other programs, and connections of the round before, may hold. */
const OTHER_PORTS = 500;

/** What one process may have open, and how many local ports there are towards one server. NaN: unknown here. */
interface ConnectionLimits {
  readonly files: number;
  readonly ports: number;
}

/** Linux: from /proc; elsewhere unknown. */
function connectionLimits(): ConnectionLimits {
  return {
    files: numbers('/proc/self/limits', /^Max open files\s+(\d+)/m)[0] ?? Number.NaN,
    ports: span(numbers('/proc/sys/net/ipv4/ip_local_port_range', /^(\d+)\s+(\d+)/)),
  };
}

/**
 * The generator and the server each hold one file per client, and all clients have one address.
 * @throws {MissingPrerequisite} when so many clients cannot be.
 */
export function checkConnections(clients: number, limits: ConnectionLimits = connectionLimits()): void {
  if (clients + OTHER_FILES > limits.files) {
    throw new MissingPrerequisite(
      `${clients} clients need ${clients + OTHER_FILES} open files in a process; the limit is ${limits.files} (ulimit -n)`,
    );
  }
  if (clients + OTHER_PORTS > limits.ports) {
    throw new MissingPrerequisite(
      `${clients} clients need ${clients + OTHER_PORTS} local ports; there are ${limits.ports} (net.ipv4.ip_local_port_range)`,
    );
  }
}

function span([first, last]: readonly number[]): number {
  return first === undefined || last === undefined ? Number.NaN : last - first + 1;
}

function numbers(file: string, pattern: RegExp): number[] {
  try {
    return (pattern.exec(readFileSync(file, 'utf8'))?.slice(1) ?? []).map(Number);
  } catch {
    return [];
  }
}
