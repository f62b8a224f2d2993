/**
 * A bound on what waits in user space for all sockets of the process together: each alone may be within its own limit, and
 * all of them still be more than there is memory. Beyond it the worst are closed with 4008, those without a credential first.
 *
 * Each worker says in shared memory what waits for its sockets, by rank, and closes its part of what is too much: of a rank's
 * excess, as large a part as it has of the rank's bytes. Nobody waits for anybody; a few sockets more may be closed than had
 * to be, one a worker at most in each look.
 */
import { RANKS, type Rank, type RankCells, rankOf } from './rank.js';
import type { Session } from './session.js';

const CELL_BYTES = 1024;
/**
 * Of all sockets, those that are looked at each time, whether they are known to be buffered or not: one that reads nothing and
 * is only published to is known to nobody before uWS drops something. Each is looked at every few seconds, which costs
 * 10 000 sockets some 0.02 ms a look.
 */
const WALKED_SHARE = 1 / 50;
/** How long a socket gets to take its close frame; then it is ended with what waits for it. */
const CLOSE_GRACE_MS = 300;

export interface BufferedTotalOptions {
  readonly cells: RankCells;
  readonly bytesMax: number;
  /** All open sessions of the worker. */
  readonly sessions: ReadonlySet<Session>;
  /** Sessions known to be buffered, with `sampledBytes` as of now; others that are found are put among them. */
  readonly buffered: Set<Session>;
  readonly nowMs: () => number;
  /** Begins the close handshake. */
  readonly close: (session: Session) => void;
  /** Ends the socket, and what waits for it. */
  readonly terminate: (session: Session) => void;
  readonly onClosed: (sockets: number, bytes: number) => void;
}

export class BufferedTotal {
  /** Connections closed, by rank. */
  readonly closed: Record<Rank, number> = { anonymous: 0, retail: 0, institutional: 0 };
  readonly #options: BufferedTotalOptions;
  /** Sessions that are closed for it, and when their sockets are ended. */
  readonly #closing = new Map<Session, number>();
  #walk: Iterator<Session> | undefined;

  constructor(options: BufferedTotalOptions) {
    this.#options = options;
  }

  /** To be called when the sockets known to be buffered have been sampled. */
  sampled(): void {
    const { cells, bytesMax } = this.#options;
    this.#endLate();
    this.#lookAtOthers();
    const own = this.#ownBytes();
    for (const rank of RANKS) cells.set(rank, Math.ceil(own[rank] / CELL_BYTES));
    const totals = RANKS.map(rank => cells.total(rank) * CELL_BYTES);
    let excess = totals.reduce((sum, bytes) => sum + bytes, 0) - bytesMax;
    if (excess <= 0) return;
    const shed = { sockets: 0, bytes: 0 };
    RANKS.forEach((rank, i) => {
      const total = totals[i] ?? 0;
      if (excess > 0 && own[rank] > 0) this.#closeWorst(rank, Math.min(1, excess / total) * own[rank], shed);
      excess -= total;
    });
    if (shed.sockets > 0) this.#options.onClosed(shed.sockets, shed.bytes);
  }

  /** The socket is gone. */
  forget(session: Session): void {
    this.#closing.delete(session);
  }

  #ownBytes(): Record<Rank, number> {
    const own = { anonymous: 0, retail: 0, institutional: 0 };
    for (const session of this.#options.buffered) {
      if (!this.#closing.has(session)) own[rankOf(session.credential)] += session.sampledBytes;
    }
    return own;
  }

  #closeWorst(rank: Rank, bytes: number, shed: { sockets: number; bytes: number }): void {
    const { buffered, nowMs, close } = this.#options;
    const candidates = [...buffered].filter(
      session => rankOf(session.credential) === rank && session.sampledBytes > 0 && !this.#closing.has(session),
    );
    candidates.sort((a, b) => b.sampledBytes - a.sampledBytes);
    let left = bytes;
    for (const session of candidates) {
      if (left <= 0) return;
      left -= session.sampledBytes;
      shed.sockets++;
      shed.bytes += session.sampledBytes;
      this.closed[rank]++;
      this.#closing.set(session, nowMs() + CLOSE_GRACE_MS);
      // One that is closed for another reason has its close frame already.
      if (session.keepalive.closingAtMs === 0) close(session);
    }
  }

  #endLate(): void {
    const nowMs = this.#options.nowMs();
    for (const [session, endAtMs] of [...this.#closing]) if (nowMs >= endAtMs) this.#options.terminate(session);
  }

  #lookAtOthers(): void {
    const { sessions, buffered } = this.#options;
    for (let left = Math.ceil(sessions.size * WALKED_SHARE); left > 0; left--) {
      this.#walk ??= sessions.values();
      const next = this.#walk.next();
      if (next.done === true) {
        this.#walk = undefined;
        return;
      }
      if (!buffered.has(next.value) && (next.value.socket?.getBufferedAmount() ?? 0) > 0) buffered.add(next.value);
    }
  }
}
