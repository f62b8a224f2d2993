/**
 * Which session a gateway thread works for, so that work that takes too long costs its own session and no other. What it says
 * in shared memory, the main thread's watchdog reads.
 */
import type { WebSocketBehavior } from 'uWebSockets.js';
import { createHash } from 'node:crypto';
import { MessageChannel } from 'node:worker_threads';
import type { LongWork } from '../../threads/thread-messages.js';
import type { Session, SocketData } from '../model/session.js';
import { awaitOrder, refuseOrder } from './interruption.js';
import { Cell } from './watchdog.js';

/** Work that took too long. */
export interface LongTurn {
  /** Undefined where a connection was yet to be admitted. */
  readonly session: Session | undefined;
  /** What it was: a command's action, or what uWS called for. */
  readonly action: string;
  readonly ms: number;
  /** It was stopped half-way; else it came to its end. */
  readonly isStopped: boolean;
}

const PSEUDONYM_LENGTH = 16;

/** As it is logged: of its user only a hash, by which an operator finds a user again whom he knows. */
export function longWorkOf({ session, action, ms, isStopped }: LongTurn): LongWork {
  const sub = session?.credential.sub ?? '';
  const user = createHash('sha256').update(sub).digest('base64url').slice(0, PSEUDONYM_LENGTH);
  return {
    connection: session?.id,
    address: session?.address,
    user: sub === '' ? undefined : user,
    action,
    ms,
    isStopped,
  };
}

export class ServedTurns {
  /** What the present work is, as precisely as is known. */
  action = '';
  readonly #row: Int32Array;
  readonly #onLong: (turn: LongTurn) => void;
  readonly #nowMs: () => number;
  /** Sessions whose next command waits for a turn, and how to serve it. */
  readonly #waiting: { readonly session: Session; readonly serve: (session: Session) => void }[] = [];
  readonly #channel = new MessageChannel();
  readonly #callForNext = () => this.#channel.port1.postMessage(undefined);
  #session: Session | undefined;
  #work = 0;
  #startedMs = 0;
  #depth = 0;
  /** At this depth the work must come to its end, or counts would be wrong for good; 0: nowhere. */
  #protectedAt = 0;

  constructor(row: Int32Array, onLong: (turn: LongTurn) => void, nowMs: () => number = () => performance.now()) {
    this.#row = row;
    this.#onLong = onLong;
    this.#nowMs = nowMs;
    this.#channel.port2.on('message', () => this.#serveNext());
  }

  /**
   * Work for a session begins, in a callback of uWS; `end` follows. Within other work it is part of that.
   * @param session undefined: it is yet to be admitted
   * @param mayStop false: it must come to its end. Also outside of uWS's callbacks: only there it can be stopped
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

  /**
   * Serves a session's next command in a turn of its own, behind what has arrived for others. It runs in a MessagePort's handler,
   * as a microtask cannot be stopped.
   */
  later(session: Session, serve: (session: Session) => void): void {
    this.#waiting.push({ session, serve });
    // Not at once: a port goes on with what is posted to it in its handlers.
    setImmediate(this.#callForNext);
  }

  /** Called by the inspector, in the middle of whatever this thread does. What that is ends when this has returned, where it is to. */
  interrupt(): void {
    const isToStop = this.#depth > 0 && this.#protectedAt === 0 && this.#row[Cell.blamed] === this.#work;
    if (!isToStop) refuseOrder(this.#row);
    else if (awaitOrder(this.#row)) {
      const turn = this.#turn(true);
      // No `end` follows.
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

  #serveNext(): void {
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.begin(next.session, 'queued');
    next.serve(next.session);
    this.end();
  }
}

/** The same for a request to be admitted, whose session is yet to be made. */
export function asAdmission(turns: ServedTurns, admit: () => void): void {
  turns.begin(undefined, 'upgrade', false);
  admit();
  turns.end();
}

type Handlers = Required<Pick<WebSocketBehavior<SocketData>, 'open' | 'message' | 'drain' | 'close'>>;

/**
 * The same handlers of uWS's, each call of which is work for its session. What opens or closes a connection is never stopped: places
 * and interest would be counted wrong for good, and uWS does not survive it in `close`.
 */
export function asWork(turns: ServedTurns, handlers: Handlers): Handlers {
  return {
    open: socket => {
      turns.begin(socket.getUserData().session, 'open', false);
      void handlers.open(socket);
      turns.end();
    },
    message: (socket, bytes, isBinary) => {
      turns.begin(socket.getUserData().session, 'message');
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
