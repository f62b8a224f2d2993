/** Counters of a hub, summed over its shards. */
import type { Shard } from './shard.js';

export function shardTotals(shards: readonly Shard[]) {
  const sum = (pick: (shard: Shard) => number) => shards.reduce((total, shard) => total + pick(shard), 0);
  return {
    queuedBytes: sum(s => s.queuedBytes),
    eventsDropped: sum(s => s.eventsDropped),
    statesSkipped: sum(s => s.statesSkipped),
    batchRecords: sum(s => s.encodedRecords),
    batchBytes: sum(s => s.encodedBytes),
    encoderRestarts: sum(s => s.restarts),
    encodersHung: sum(s => s.hung),
    encodersStuck: sum(s => (s.watch.isStuck ? 1 : 0)),
  };
}
