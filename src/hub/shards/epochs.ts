/** Starts a new epoch of a subject's sequences. */
import { FLAG_LOSS_BEFORE, FLAG_NEW_EPOCH } from '../../threads/records.js';
import type { Subject } from '../sources/subject-table.js';
import type { Shard } from './shard.js';

/**
 * The subject's sequences count in this epoch from here on.
 * @returns flags of its first message
 */
export function beginEpoch(shard: Shard, subject: Subject, epoch: string): number {
  const isFirst = subject.epoch === '';
  subject.epoch = epoch;
  subject.epochs++;
  subject.seq = 0;
  subject.encodedSeq = 0;
  subject.retention?.beginEpoch();
  subject.historyAt = -1;
  shard.beginEpoch(subject, epoch);
  // Nothing proves that the first message of an epoch continues the document of the previous one.
  return isFirst ? 0 : FLAG_LOSS_BEFORE | FLAG_NEW_EPOCH;
}
