/**
 * A bound on what waits in user space for all sockets of the process together: each alone may be within its own limit, and
 * all of them still be more than there is memory. Beyond it the worst are closed, those without a credential first.
 *
 * They count as 4008, but see 1006. Something waits for each of them, else there is nothing to gain. uWS cannot drop what waits:
 * `end` puts the close frame behind it and keeps the socket with all its bytes until the client has read them or a timeout
 * comes. Only `close`, which sends no frame, gives the memory back.
 *
 * Each worker says in shared memory what waits for its sockets, by rank, and closes its part of what is too much: of a rank's
 * excess, as large a part as it has of the rank's bytes. Workers never wait for each other; each check may close one socket
 * a worker more than necessary.
 */
import { RANKS, type Rank, type RankCells, rankOf } from '../limits/rank.js';
import type { Session } from '../model/session.js';

const CELL_BYTES = 1024;
/**
 * Of all sockets, those that are looked at each time, whether they are known to be buffered or not: a socket that
 * reads nothing and is only published to stays unnoticed until uWS drops something. Each is checked every few seconds; with
 * 10 000 sockets a check costs some 0.02 ms.
 */
const WALKED_SHARE = 1 / 50;

export interface BufferedTotalOptions {
  readonly cells: RankCells;
  readonly bytesMax: number;
  /** All open sessions of the worker. */
  readonly sessions: ReadonlySet<Session>;
  /** Sessions known to be buffered, with `sampledBytes` as of now; others that are found are put among them. */
  readonly buffered: Set<Session>;
  /** Ends the socket, and with it what waits for it; it is not among the sessions any more then. */
  readonly cut: (session: Session) => void;
  readonly onClosed: (sockets: number, bytes: number) => void;
}

export class BufferedTotal {
  /** Connections closed, by rank. */
  readonly closed: Record<Rank, number> = { anonymous: 0, retail: 0, institutional: 0 };
  readonly #options: BufferedTotalOptions;
  #walk: Iterator<Session> | undefined;

  constructor(options: BufferedTotalOptions) {
    this.#options = options;
  }

  /** To be called when the sockets known to be buffered have been sampled. */
  sampled(): void {
    const { cells, bytesMax } = this.#options;
    this.#lookAtOthers();
    const own = this.#ownBytes();
    for (const rank of RANKS) cells.set(rank, Math.ceil(own[rank] / CELL_BYTES));
    const totals = RANKS.map(rank => cells.total(rank) * CELL_BYTES);
    let excess = totals.reduce((sum, bytes) => sum + bytes, 0) - bytesMax;
    if (excess <= 0) return;
    const shed = { sockets: 0, bytes: 0 };
    RANKS.forEach((rank, i) => {
      const total = totals[i] ?? 0;
      if (excess > 0 && own[rank] > 0) {
        const closed = this.#closeWorst(rank, Math.min(1, excess / total) * own[rank], shed);
        // Before the others look: they would close more for the same bytes.
        cells.set(rank, Math.ceil((own[rank] - closed) / CELL_BYTES));
      }
      excess -= total;
    });
    if (shed.sockets > 0) this.#options.onClosed(shed.sockets, shed.bytes);
  }

  #ownBytes(): Record<Rank, number> {
    const own = { anonymous: 0, retail: 0, institutional: 0 };
    for (const session of this.#options.buffered) own[rankOf(session.credential)] += session.sampledBytes;
    return own;
  }

  /** @returns how many bytes waited for those that were closed */
  #closeWorst(rank: Rank, bytes: number, shed: { sockets: number; bytes: number }): number {
    const { buffered, cut } = this.#options;
    const candidates = [...buffered].filter(session => rankOf(session.credential) === rank && session.sampledBytes > 0);
    candidates.sort((a, b) => b.sampledBytes - a.sampledBytes);
    let left = bytes;
    for (const session of candidates) {
      if (left <= 0) break;
      left -= session.sampledBytes;
      shed.sockets++;
      shed.bytes += session.sampledBytes;
      this.closed[rank]++;
      cut(session);
    }
    return bytes - left;
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
