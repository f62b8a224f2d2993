/** The main loop of a gateway thread: waits for the doorbell, then publishes from the rings, turn by turn. */
import type { Deliveries } from '../sending/deliveries.js';
import type { Ladder } from '../slow-consumers/ladder.js';
import type { TierChanges } from '../subscriptions/tier-changes.js';
import type { Views } from '../views/views.js';
import type { Fanout } from './fanout.js';

interface PumpParts {
  readonly fanout: Fanout;
  readonly ladder: Ladder;
  readonly tierChanges: TierChanges;
  readonly deliveries: Deliveries;
  readonly views: Views;
  /** One cell per worker, incremented at every wake-up. */
  readonly doorbell: Int32Array;
  /** One cell per worker: 1 while it lags. */
  readonly lagging: Int32Array;
  readonly worker: number;
  /** True once the thread must end. */
  readonly isEnding: () => boolean;
}

const nextLoopTurn = () => new Promise<void>(resolve => setImmediate(resolve));

/** Resolves when the thread must end. */
export async function pump(parts: PumpParts): Promise<void> {
  const { fanout, deliveries, doorbell, lagging, worker, isEnding } = parts;
  while (!isEnding()) {
    const seen = Atomics.load(doorbell, worker);
    await turn(parts);
    // After live frames, and at most one turn's share.
    deliveries.turn();
    Atomics.store(lagging, worker, fanout.isLagging ? 1 : 0);
    if (fanout.hasMore || deliveries.hasMore) {
      await nextLoopTurn();
      continue;
    }
    const ring = Atomics.waitAsync(doorbell, worker, seen);
    // Now or later, but always in another turn of the loop: in between, uWS writes what was published.
    await (ring.async ? ring.value : nextLoopTurn());
  }
}

/** Publishes one turn's worth of frames, institutional sockets first. */
async function turn({ fanout, ladder, tierChanges, views }: PumpParts): Promise<void> {
  ladder.settle();
  tierChanges.settle();
  if (!fanout.read()) return;
  fanout.publish('institutional');
  if (views.count('retail') === 0) return;
  if (views.count('institutional') > 0) {
    // uWS writes at the end of the loop turn: institutional sockets get their frames before retail ones.
    await nextLoopTurn();
    ladder.settle();
  }
  fanout.publish('retail');
}
