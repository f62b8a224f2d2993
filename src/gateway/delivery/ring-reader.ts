/** The loop of a gateway thread: waits for the doorbell, then publishes what is in the rings, turn by turn. */
import type { Deliveries } from '../sending/deliveries.js';
import type { Ladder } from '../slow-consumers/ladder.js';
import type { TierChanges } from '../subscriptions/tier-changes.js';
import type { Views } from '../views/views.js';
import type { Fanout } from './fanout.js';

export interface PumpParts {
  readonly fanout: Fanout;
  readonly slow: Ladder;
  readonly tierChanges: TierChanges;
  readonly deliveries: Deliveries;
  readonly table: Views;
  /** One cell a worker, counted up at every wake-up. */
  readonly doorbell: Int32Array;
  /** One cell a worker: 1 while it is behind. */
  readonly behind: Int32Array;
  readonly worker: number;
  /** True once the thread is to end. */
  readonly isEnding: () => boolean;
}

const nextLoopTurn = () => new Promise<void>(resolve => setImmediate(resolve));

/** Resolves when the thread is to end. */
export async function pump(parts: PumpParts): Promise<void> {
  const { fanout, deliveries, doorbell, behind, worker, isEnding } = parts;
  while (!isEnding()) {
    const seen = Atomics.load(doorbell, worker);
    await turn(parts);
    // Behind what is live, and not more than a turn's share.
    deliveries.turn();
    Atomics.store(behind, worker, fanout.isBehind ? 1 : 0);
    if (fanout.hasMore || deliveries.hasMore) {
      await nextLoopTurn();
      continue;
    }
    const ring = Atomics.waitAsync(doorbell, worker, seen);
    // At once or later, but in another turn of the loop: uWS writes what was published between the two.
    await (ring.async ? ring.value : nextLoopTurn());
  }
}

/** One turn's worth of frames, institutional sockets first. */
async function turn({ fanout, slow, tierChanges, table }: PumpParts): Promise<void> {
  slow.settle();
  tierChanges.settle();
  if (!fanout.read()) return;
  fanout.publish('institutional');
  if (table.count('retail') === 0) return;
  if (table.count('institutional') > 0) {
    // uWS writes what was published at the end of the loop turn: institutional sockets get theirs before retail ones.
    await nextLoopTurn();
    slow.settle();
  }
  fanout.publish('retail');
}
