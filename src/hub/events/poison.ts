/** Messages that made an encoder hang or die: no encoder is given them again. */
import { BoundedMap } from '../../protocol/bounded-map.js';
import type { StartedRecord } from '../../threads/progress.js';
import { RecordKind } from '../../threads/records.js';
import type { Subject } from '../sources/subject-table.js';
import type { EventHistories } from './event-histories.js';

/** Maximum events remembered as poison; beyond it the oldest is evicted. State messages are removed from retention. */
const POISON_MAX = 1000;

/** Records that carry a publisher's message. */
const WITH_MESSAGE: ReadonlySet<number> = new Set([RecordKind.data, RecordKind.restore, RecordKind.replay]);

const NOTHING = new Uint8Array(0);

interface Poisoned {
  readonly subject: string;
  readonly payload: Uint8Array;
}

export class Poison {
  readonly #history: EventHistories;
  readonly #events = new BoundedMap<string, true>(POISON_MAX);

  constructor(history: EventHistories) {
    this.#history = history;
  }

  /** True for an event that must not be replayed. */
  has(subject: Subject, seq: number): boolean {
    return this.#events.size > 0 && this.#events.has(keyOf(subject, seq));
  }

  /**
   * Removes the message from what rebuilds the encoder.
   * @returns its subject and payload, which is empty when it was not kept; undefined when the record carries no
   * message
   */
  take(subject: Subject | undefined, { kind, seq }: StartedRecord): Poisoned | undefined {
    if (subject === undefined || !WITH_MESSAGE.has(kind)) return undefined;
    const { name } = subject;
    if (subject.retention === null) return { subject: name, payload: this.#takeEvent(subject, seq) };
    const removed = subject.retention.remove(seq);
    // The document that includes it is unknown: changes wait for a complete message.
    if (removed?.isNewest !== false) subject.hasHole = true;
    return { subject: name, payload: removed?.payload ?? NOTHING };
  }

  #takeEvent(subject: Subject, seq: number): Uint8Array {
    this.#events.set(keyOf(subject, seq), true);
    // The one place after its predecessor is its own.
    const [place] = this.#history.placesAfter(subject, seq - 1, Number.POSITIVE_INFINITY) ?? [];
    const message = place === undefined ? undefined : this.#history.read(subject, place);
    return message?.seq === seq ? new Uint8Array(message.payload) : NOTHING;
  }
}

function keyOf(subject: Subject, seq: number): string {
  return `${subject.name} ${subject.epoch} ${seq}`;
}
