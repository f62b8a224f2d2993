/** Tells an encoder thread about a source. */
import { RecordKind } from '../../threads/records.js';
import type { LostRange } from '../sources/lost-ranges.js';
import type { Source, SourceTable } from '../sources/source-table.js';
import type { Shard } from './shard.js';

export function defineSource(shard: Shard, source: Source): void {
  shard.text(RecordKind.define, source.id, `${source.kind}:${source.symbol}`);
}

/** Everything that a lost thread knew of a source: its epoch, its state, and who wants it. */
function rebuildSource(shard: Shard, source: Source): void {
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

/** Gives a new thread everything the lost one knew, then announces the events that were lost with it. */
export function rebuildShard(shard: Shard, sources: SourceTable, lost: ReadonlyMap<number, LostRange>): void {
  shard.resume(() => {
    for (const source of sources) {
      if (source.shard === shard.index || source === sources.allTrades) rebuildSource(shard, source);
    }
    for (const [id, range] of lost) shard.gap(id, range, 'encoder_restart');
  });
}
