/**
 * A bound on the bytes buffered in user space for all sockets of the process: each socket may be within its own limit
 * while together they exceed memory. Beyond the bound, the worst sockets are closed, those without a credential first.
 *
 * These closes count as 4008, but clients see 1006. Only sockets with buffered bytes are closed; closing others would
 * gain nothing. uWS cannot drop buffered bytes: `end` queues the close frame behind them and keeps them all until the
 * client has read them or a timeout hits. Only `close`, which sends no frame, frees the memory.
 *
 * Each worker publishes its buffered bytes in shared memory, by rank, and closes its share of the excess: of each
 * rank's excess, the same share as it has of that rank's bytes. Workers never wait for each other; each check may
 * close one socket per worker more than necessary.
 */
import { RANKS, type Rank, type RankCells, rankOf } from '../limits/rank.js';
import type { Session } from '../model/session.js';

const CELL_BYTES = 1024;
/**
 * Share of all sockets to sample at each check, whether they are known to be buffered or not. A socket that reads
 * nothing and only receives publishes goes unnoticed until uWS drops something. This way, each socket is checked every
 * few seconds; with 10,000 sockets a check costs about 0.02 ms.
 */
const WALKED_SHARE = 1 / 50;

interface BufferedTotalOptions {
  readonly cells: RankCells;
  readonly bytesMax: number;
  /** All open sessions of the worker. */
  readonly sessions: ReadonlySet<Session>;
  /** Sessions known to be buffered, with a current `sampledBytes`. This class adds others that it finds. */
  readonly buffered: Set<Session>;
  /** Ends the socket, drops its buffer and removes the session. */
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

  /** Call after sampling the sockets known to be buffered. */
  sampled(): void {
    const { cells, bytesMax } = this.#options;
    this.#sampleOthers();
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
        // Publish this before other workers check, or they close more sockets for the same bytes.
        cells.set(rank, Math.ceil((own[rank] - closed) / CELL_BYTES));
      }
      excess -= total;
    });
    if (shed.sockets > 0) this.#options.onClosed(shed.sockets, shed.bytes);
  }

  #ownBytes(): Record<Rank, number> {
    const own = { anonymous: 0, retail: 0, institutional: 0 };
    for (const session of this.#options.buffered) own[rankOf(session.credential)] += session.flow.sampledBytes;
    return own;
  }

  /** @returns how many bytes were buffered for the closed sockets */
  #closeWorst(rank: Rank, bytes: number, shed: { sockets: number; bytes: number }): number {
    const { buffered, cut } = this.#options;
    const candidates = [...buffered].filter(
      session => rankOf(session.credential) === rank && session.flow.sampledBytes > 0,
    );
    candidates.sort((a, b) => b.flow.sampledBytes - a.flow.sampledBytes);
    let left = bytes;
    for (const session of candidates) {
      if (left <= 0) break;
      left -= session.flow.sampledBytes;
      shed.sockets++;
      shed.bytes += session.flow.sampledBytes;
      this.closed[rank]++;
      cut(session);
    }
    return bytes - left;
  }

  #sampleOthers(): void {
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
