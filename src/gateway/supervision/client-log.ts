/**
 * One log line for each event of a client, as plain data for the main thread, which writes the log. Lines are posted in
 * batches, off the hot path. In a storm only the first of each kind in a second are kept, and the others are counted.
 */
import { createHash } from 'node:crypto';
import { CloseCode } from '../../protocol/close-code.js';
import type { Tier } from '../../protocol/view-options.js';
import type { ClientEvent, ClientLine } from '../../threads/client-lines.js';
import type { FromWorker, ReloadedSettings } from '../../threads/thread-messages.js';
import type { ConnectionIds } from '../model/connection-ids.js';
import type { Session } from '../model/session.js';
import type { Traffic } from '../model/traffic.js';

/** Lines of one kind that a thread logs in a second. */
export const LINES_PER_SECOND_MAX = 50;
const SECOND_MS = 1_000;
const FLUSH_AFTER_MS = 100;
const PSEUDONYM_LENGTH = 16;
/** As many roles of a credential are logged. */
const ROLES_MAX = 20;

/** Codes of a regular end: RFC 6455 section 7.4.1, with 1005 where the client gave none. */
const REGULAR_CODES: ReadonlySet<number> = new Set([1000, CloseCode.goingAway, 1005]);

/** What a log line says about a client, as far as it is known. */
export interface LoggedClient {
  /** The number of the connection (connection-ids.ts). */
  readonly id: number;
  readonly address: string;
  /** '' without a credential. */
  readonly user: string;
  readonly tier: Tier | undefined;
}

/** What is logged about a session. */
export function clientOf({ id, address, credential }: Session): LoggedClient {
  const { sub: user, tier } = credential;
  return { id, address, user, tier: user === '' ? undefined : tier };
}

/** The code of a close frame, 1006 if the connection broke, and the reason. */
export interface ClosedWith {
  readonly code: number;
  readonly reason: string;
}

interface RefusedWith {
  /** The HTTP status. */
  readonly status: number;
  readonly code: string;
  readonly reason: string;
  /** The credential's, where they may be why. */
  readonly roles?: readonly string[] | undefined;
}

type Counted = Pick<Traffic, 'openedMs' | 'receivedBytes' | 'sentBytes'>;

interface ClientLogOptions {
  readonly ids: ConnectionIds;
  readonly settings: Pick<ReloadedSettings, 'logClients' | 'logUsers'>;
  readonly post: (message: Extract<FromWorker, { type: 'clients' }>) => void;
  /** A monotonic clock. */
  readonly nowMs: () => number;
}

export class ClientLog {
  /** A reload replaces them. */
  settings: ClientLogOptions['settings'];
  readonly ids: ConnectionIds;
  readonly #options: ClientLogOptions;
  #lines: ClientLine[] = [];
  /** Lines of the current second by kind, and those that are left out: in this second, and in the ones before it. */
  readonly #counts = new Map<ClientEvent, number>();
  #leftOut = 0;
  #leftOutBefore = 0;
  #secondMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClientLogOptions) {
    this.#options = options;
    this.settings = options.settings;
    this.ids = options.ids;
  }

  connected(client: LoggedClient): void {
    if (this.settings.logClients === 'all') this.#add('connected', client, {});
  }

  refused(client: LoggedClient, { roles, ...why }: RefusedWith): void {
    this.#add('refused', client, roles === undefined ? why : { ...why, roles: roles.slice(0, ROLES_MAX) });
  }

  /** Its state topics are sent less often. @param steps classes slower than it asked for */
  steppedDown(client: LoggedClient, steps: number): void {
    this.#add('stepped_down', client, { steps });
  }

  /** Its state topics are sent more often again. */
  restored(client: LoggedClient, steps: number): void {
    this.#add('restored', client, { steps });
  }

  /** @param by who closed it; a connection that broke counts as closed by the client */
  ended(client: LoggedClient, by: 'gateway' | 'client', { code, reason }: ClosedWith, traffic: Counted): void {
    const isRegular = REGULAR_CODES.has(code);
    if (isRegular && this.settings.logClients !== 'all') return;
    const { openedMs, receivedBytes, sentBytes } = traffic;
    const durationMs = Math.round(this.#options.nowMs() - openedMs);
    this.#add(isRegular ? 'ended' : 'broken', client, { by, code, reason, durationMs, receivedBytes, sentBytes });
  }

  /** Posts what is kept. Call before the thread ends. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#lines;
    this.#lines = [];
    this.#beginSecond();
    const leftOut = this.#leftOutBefore;
    this.#leftOutBefore = 0;
    if (lines.length > 0 || leftOut > 0) this.#options.post({ type: 'clients', lines, leftOut });
    // The count follows once its second is over.
    if (this.#leftOut > 0) this.#timer = setTimeout(() => this.flush(), SECOND_MS).unref();
  }

  /** How log lines name a user; undefined without a credential. With a journal, main's log puts in the pseudonym. */
  shown(user: string): string | undefined {
    if (user === '') return undefined;
    return this.settings.logUsers === 'pseudonym' ? pseudonymOf(user) : user;
  }

  #add(event: ClientEvent, { id, address, user, tier }: LoggedClient, details: Partial<ClientLine>): void {
    if (this.settings.logClients === 'off') return;
    this.#beginSecond();
    const count = (this.#counts.get(event) ?? 0) + 1;
    this.#counts.set(event, count);
    if (count > LINES_PER_SECOND_MAX) this.#leftOut++;
    else {
      const connection = this.ids.text(id);
      this.#lines.push({ event, connection, user: this.shown(user), tier, address, ...details });
    }
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS).unref();
  }

  #beginSecond(): void {
    const nowMs = this.#options.nowMs();
    if (nowMs - this.#secondMs < SECOND_MS) return;
    this.#secondMs = nowMs;
    this.#counts.clear();
    // One line says it for a whole second.
    this.#leftOutBefore += this.#leftOut;
    this.#leftOut = 0;
  }
}

/** A hash by which an operator can recognize a user whom they know. */
export function pseudonymOf(user: string): string {
  return createHash('sha256').update(user).digest('base64url').slice(0, PSEUDONYM_LENGTH);
}
