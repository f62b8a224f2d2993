/**
 * Orders of commands about the keys of pseudonyms, on their way into the journal: only the gateway's thread writes to its chain. A
 * command appends a line; the gateway takes them, or the next one that starts.
 */
import { appendFileSync, chownSync, existsSync, readFileSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { SECRET_FILE_MODE } from './shared-lines.js';

const ORDERS_FILE = 'orders.jsonl';
const TAKEN_FILE = 'orders.taken.jsonl';

/** A record of kind `admin`. Users and addresses are pseudonyms. */
export interface KeyOrder {
  /** µs since the Unix epoch. */
  readonly t: number;
  readonly k: 'admin';
  readonly what: 'journal_erase' | 'journal_hold' | 'journal_release' | 'journal_rotate';
  readonly by: 'command';
  /** Who ran it. */
  readonly author: string;
  readonly user?: string | undefined;
  readonly address?: string | undefined;
  readonly detail?: string | undefined;
  readonly result: string;
}

/** @param folder of the keys */
export function appendOrder(folder: string, order: KeyOrder): void {
  const path = join(folder, ORDERS_FILE);
  const isNew = !existsSync(path);
  appendFileSync(path, `${JSON.stringify(order)}\n`, { mode: SECRET_FILE_MODE, flush: true });
  // The gateway's user must be able to read it when root runs the command.
  if (isNew && process.getuid?.() === 0) {
    const { uid, gid } = statSync(folder);
    chownSync(path, uid, gid);
  }
}

/**
 * Takes the orders that wait. They come again until {@link ordersWritten}.
 * @returns JSON of records; undefined: there is none. @throws {Error} when the file cannot be read
 */
export function takeOrders(folder: string): readonly string[] | undefined {
  const [path, taken] = [join(folder, ORDERS_FILE), join(folder, TAKEN_FILE)];
  if (!existsSync(taken)) {
    if (!existsSync(path)) return undefined;
    renameSync(path, taken);
  }
  return readFileSync(taken, 'utf8')
    .split('\n')
    .filter(line => line.endsWith('}'));
}

/** The orders taken last are in the journal. */
export function ordersWritten(folder: string): void {
  unlinkSync(join(folder, TAKEN_FILE));
}
