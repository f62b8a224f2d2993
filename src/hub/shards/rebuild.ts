/** Tells an encoder thread about a subject. */
import { delayedName } from '../../protocol/delayed-name.js';
import { RecordKind } from '../../threads/records.js';
import type { LostRange } from '../sources/lost-ranges.js';
import type { Subject, SubjectTable } from '../sources/subject-table.js';
import type { Shard } from './shard.js';

export function defineSubject(shard: Shard, subject: Subject): void {
  shard.text(RecordKind.define, subject.id, `${subject.kind}:${delayedName(subject.symbol, subject.delayMs)}`);
}

/** Everything that a lost thread knew of a subject: its epoch, its state, and who wants it. */
function rebuildSubject(shard: Shard, subject: Subject): void {
  defineSubject(shard, subject);
  if (subject.epoch !== '') shard.text(RecordKind.epoch, subject.id, subject.epoch);
  shard.restore(subject);
  if (subject.hasHole) shard.lost(subject, 'refused');
  for (const [lane, workers] of subject.wants ?? []) {
    for (let worker = 0, mask = workers; mask !== 0; worker++, mask >>>= 1) {
      if ((mask & 1) !== 0) shard.control(RecordKind.want, subject.id, lane, worker);
    }
  }
}

/** Gives a new thread everything the lost one knew, then announces the events that were lost with it. */
export function rebuildShard(shard: Shard, subjects: SubjectTable, lost: ReadonlyMap<number, LostRange>): void {
  shard.resume(() => {
    for (const subject of subjects) {
      if (subject.shard === shard.index || subject === subjects.allTrades) rebuildSubject(shard, subject);
    }
    for (const [id, range] of lost) shard.gap(id, range, 'encoder_restart');
  });
}
