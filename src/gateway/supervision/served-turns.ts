/**
 * Tracks which session a gateway thread works for, so that work that takes too long affects only its own session. The
 * main thread's watchdog reads this from shared memory.
 */
import type { WebSocketBehavior } from 'uWebSockets.js';
import { MessageChannel } from 'node:worker_threads';
import type { LongWork } from '../../threads/client-lines.js';
import type { Session, SocketData } from '../model/session.js';
import type { ClientLog } from './client-log.js';
import { awaitOrder, refuseOrder } from './interruption.js';
import { Cell } from './watchdog.js';

/**
 * Sessions that owe much for their work are served in spare turns: at least so far apart, and in each a share of those
 * that wait. Between them, the cores serve other clients.
 */
const SPARE_TURN_EVERY_MS = 4;
const SPARE_TURN_SHARE = 1 / 64;

/** Work that took too long. */
export interface LongTurn {
  /** Undefined for a connection that was not admitted yet. */
  readonly session: Session | undefined;
  /** A command's action, or the uWS callback. */
  readonly action: string;
  readonly ms: number;
  /** True when it was interrupted; false when it finished. */
  readonly isStopped: boolean;
}

/** The form that is logged. */
export function longWorkOf({ session, action, ms, isStopped }: LongTurn, log: ClientLog): LongWork {
  return {
    connection: session === undefined ? undefined : log.ids.text(session.id),
    address: session?.address,
    user: log.shown(session?.credential.sub ?? ''),
    action,
    ms,
    isStopped,
  };
}

/** A session whose next work waits for a turn, and how to do it. */
interface Waiting {
  readonly session: Session;
  readonly serve: (session: Session) => void;
}

interface ServedTurnsOptions {
  readonly row: Int32Array;
  readonly onLong: (turn: LongTurn) => void;
  /** Whether the session owes so much that others come first (limits/work-budgets.ts). */
  readonly isIndebted: (session: Session) => boolean;
  readonly nowMs?: () => number;
}

export class ServedTurns {
  /** The current work, as precisely as known. */
  action = '';
  readonly #row: Int32Array;
  readonly #onLong: (turn: LongTurn) => void;
  readonly #nowMs: () => number;
  readonly #waiting: Waiting[] = [];
  readonly #indebted: Waiting[] = [];
  readonly #isIndebted: (session: Session) => boolean;
  readonly #channel = new MessageChannel();
  readonly #callForNext = () => this.#channel.port1.postMessage(undefined);
  #spareTurns: NodeJS.Timeout | undefined;
  /** Sessions whose work was interrupted: they are about to be closed. */
  readonly #interrupted = new WeakSet<Session>();
  #session: Session | undefined;
  #work = 0;
  #startedMs = 0;
  #depth = 0;
  /** At this depth the work must not be interrupted, or counts would be permanently wrong; 0: nowhere. */
  #protectedAt = 0;

  constructor({ row, onLong, isIndebted, nowMs = () => performance.now() }: ServedTurnsOptions) {
    this.#row = row;
    this.#onLong = onLong;
    this.#isIndebted = isIndebted;
    this.#nowMs = nowMs;
    this.#channel.port2.on('message', () => this.#serveNext());
  }

  /**
   * Marks the start of work for a session in a uWS callback; `end` follows. Inside other work it is part of that.
   * @param session undefined when it is not admitted yet
   * @param mayStop false when it must finish; also outside uWS callbacks, because work can be interrupted only inside
   * them
   */
  begin(session: Session | undefined, action: string, mayStop = true): void {
    if (this.#depth === 0) this.#beginOuter(session, action);
    else this.#session ??= session;
    this.#depth++;
    if (!mayStop && this.#protectedAt === 0) this.#protectedAt = this.#depth;
  }

  end(): void {
    if (this.#protectedAt === this.#depth) this.#protectedAt = 0;
    if (--this.#depth > 0) return;
    const isBlamed = Atomics.load(this.#row, Cell.blamed) === this.#work;
    this.#row[Cell.work] = 0;
    if (isBlamed) this.#onLong(this.#turn(false));
    this.#session = undefined;
  }

  /** True once work for the session was interrupted: uWS still hands over what it has read with that message. */
  isInterrupted(session: Session): boolean {
    return this.#interrupted.has(session);
  }

  /**
   * Serves a session's next command in a turn of its own, after messages that have arrived for others; in a spare turn
   * if it owes much. It runs in a MessagePort handler, because a microtask cannot be interrupted.
   */
  later(session: Session, serve: (session: Session) => void): void {
    if (this.#isIndebted(session)) {
      this.#indebted.push({ session, serve });
      this.#spareTurns ??= setInterval(() => this.#giveSpareTurns(), SPARE_TURN_EVERY_MS);
      return;
    }
    this.#waiting.push({ session, serve });
    // Not at once: a port also delivers what is posted to it during its handlers.
    setImmediate(this.#callForNext);
  }

  /**
   * Called by the inspector in the middle of the thread's work. If that work is to be interrupted, it ends when this
   * returns.
   */
  interrupt(): void {
    const isToStop = this.#depth > 0 && this.#protectedAt === 0 && this.#row[Cell.blamed] === this.#work;
    if (!isToStop) refuseOrder(this.#row);
    else if (awaitOrder(this.#row)) {
      const turn = this.#turn(true);
      if (turn.session !== undefined) this.#interrupted.add(turn.session);
      // `end` will not be called.
      this.#depth = 0;
      this.#row[Cell.work] = 0;
      this.#session = undefined;
      setImmediate(() => this.#onLong(turn));
    }
  }

  #beginOuter(session: Session | undefined, action: string): void {
    this.#startedMs = this.#nowMs();
    this.#session = session;
    this.action = action;
    this.#work = (this.#work + 1) & 0x7fff_ffff || 1;
    this.#row[Cell.session] = session?.id ?? 0;
    this.#row[Cell.work] = this.#work;
  }

  #turn(isStopped: boolean): LongTurn {
    const ms = Math.round(this.#nowMs() - this.#startedMs);
    return { session: this.#session, action: this.action, ms, isStopped };
  }

  #giveSpareTurns(): void {
    const given = this.#indebted.splice(0, Math.ceil(this.#indebted.length * SPARE_TURN_SHARE));
    this.#waiting.push(...given);
    for (const _ of given) this.#callForNext();
    if (given.length > 0) return;
    clearInterval(this.#spareTurns);
    this.#spareTurns = undefined;
  }

  #serveNext(): void {
    const next = this.#waiting.shift();
    if (next === undefined || this.isInterrupted(next.session)) return;
    this.begin(next.session, 'queued');
    next.serve(next.session);
    this.end();
  }
}

/** The same for a request to be admitted, which has no session yet. */
export function asAdmission(turns: ServedTurns, admit: () => void): void {
  turns.begin(undefined, 'upgrade', false);
  admit();
  turns.end();
}

type Handlers = Required<Pick<WebSocketBehavior<SocketData>, 'open' | 'message' | 'drain' | 'close'>>;

/**
 * Wraps uWS's handlers so that each call counts as work for its session. Opening and closing a connection is never
 * interrupted: slots and interest would be permanently wrong, and uWS does not survive it in `close`.
 */
export function asWork(turns: ServedTurns, handlers: Handlers): Handlers {
  return {
    open: socket => {
      turns.begin(socket.getUserData().session, 'open', false);
      void handlers.open(socket);
      turns.end();
    },
    message: (socket, bytes, isBinary) => {
      const { session } = socket.getUserData();
      if (turns.isInterrupted(session)) return;
      turns.begin(session, 'message');
      void handlers.message(socket, bytes, isBinary);
      turns.end();
    },
    drain: socket => {
      turns.begin(socket.getUserData().session, 'drain');
      handlers.drain(socket);
      turns.end();
    },
    close: (socket, code, reason) => {
      turns.begin(socket.getUserData().session, 'close', false);
      handlers.close(socket, code, reason);
      turns.end();
    },
  };
}
