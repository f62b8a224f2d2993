/** The body of `/api/v1/stats`: the process in a few numbers, summed over all threads. */
import type { FeedState } from '../threads/thread-messages.js';
import type { WorkerStats } from '../threads/worker-stats.js';

interface StatsInput {
  readonly node: string;
  /** The port that clients connect to. */
  readonly port: number;
  readonly feed: {
    readonly name: string;
    /** Which of the two servers is read; undefined without a backup. */
    readonly upstream: string | undefined;
    readonly status: FeedState;
    readonly since: string;
    /** What NATS refused or reported as an error, by kind. */
    readonly errors: Readonly<Record<string, number>>;
  };
  /** Messages received from the feed, and their bytes. */
  readonly messages: number;
  readonly bytes: number;
  /** Subjects followed. */
  readonly subjects: number;
  readonly rejected: ReadonlyMap<string, number>;
  /** State subjects held back, by reason. */
  readonly held: ReadonlyMap<string, number>;
  readonly workersListening: number;
  readonly workerRestarts: number;
  readonly encoders: number;
  readonly encoderRestarts: number;
  readonly workers: readonly WorkerStats[];
}

/** Counters start with the process, sizes are current; bytes are payload bytes. */
export function statsOf(input: StatsInput): object {
  const sum = (pick: (worker: WorkerStats) => number) => input.workers.reduce((total, w) => total + pick(w), 0);
  const counts = (list: readonly (readonly [unknown, number])[]) => list.reduce((total, [, count]) => total + count, 0);
  const { feed, messages, bytes } = input;
  return {
    node: input.node,
    pid: process.pid,
    port: input.port,
    uptime_seconds: Math.floor(process.uptime()),
    feed: { ...feed, messages, bytes, rejected: counts([...input.rejected]) },
    connections: {
      open: sum(w => w.open),
      opened: sum(w => w.opened),
      closed: sum(w => w.closed),
      refused: sum(w => counts(w.refused)),
    },
    messages: {
      received: sum(w => w.received),
      sent: sum(w => w.sent.reduce((total, cell) => total + cell.messages, 0)),
      sent_bytes: sum(w => w.sent.reduce((total, cell) => total + cell.bytes, 0)),
    },
    topics: { followed: input.subjects, stale: counts([...input.held]), views: sum(w => w.views) },
    slow_clients: { buffered: sum(w => w.buffered), stalls: sum(w => w.stalls), resumes: sum(w => w.resumes) },
    workers: { listening: input.workersListening, restarts: input.workerRestarts },
    encoders: { threads: input.encoders, restarts: input.encoderRestarts },
  };
}
