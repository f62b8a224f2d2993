/** Tells an encoder thread of a source. */
import { RecordKind } from '../protocol/records.js';
import type { Shard } from './shard.js';
import type { Source } from './source-table.js';

export function defineSource(shard: Shard, source: Source): void {
  shard.text(RecordKind.define, source.id, `${source.kind}:${source.symbol}`);
}

/** Everything that a thread knew of it which is no more: its epoch, its state, and who wants it. */
export function rebuildSource(shard: Shard, source: Source): void {
  defineSource(shard, source);
  if (source.epoch !== '') shard.text(RecordKind.epoch, source.id, source.epoch);
  shard.restore(source);
  if (source.hasHole) shard.lost(source, 'refused');
  for (const [lane, workers] of source.wants ?? []) {
    for (let worker = 0, mask = workers; mask !== 0; worker++, mask >>>= 1) {
      if ((mask & 1) !== 0) shard.control(RecordKind.want, source.id, lane, worker);
    }
  }
}
