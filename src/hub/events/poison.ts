/** Messages that made an encoder hang or die: no encoder is given them again. */
import { BoundedMap } from '../../protocol/bounded-map.js';
import type { StartedRecord } from '../../threads/progress.js';
import { RecordKind } from '../../threads/records.js';
import type { Source } from '../sources/source-table.js';
import type { EventHistories } from './event-histories.js';

/** Maximum events remembered as poison; beyond it the oldest is evicted. State messages are removed from retention. */
const POISON_MAX = 1000;

/** Records that carry a publisher's message. */
const WITH_MESSAGE: ReadonlySet<number> = new Set([RecordKind.data, RecordKind.restore, RecordKind.replay]);

const NOTHING = new Uint8Array(0);

export interface Poisoned {
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
  has(source: Source, seq: number): boolean {
    return this.#events.size > 0 && this.#events.has(keyOf(source, seq));
  }

  /**
   * Removes the message from what rebuilds the encoder.
   * @returns its subject and payload, which is empty when it was not kept; undefined when the record carries no
   * message
   */
  take(source: Source | undefined, { kind, seq }: StartedRecord): Poisoned | undefined {
    if (source === undefined || !WITH_MESSAGE.has(kind)) return undefined;
    const { subject } = source;
    if (source.retention === null) return { subject, payload: this.#takeEvent(source, seq) };
    const removed = source.retention.remove(seq);
    // The document that includes it is unknown: changes wait for a complete message.
    if (removed?.isNewest !== false) source.hasHole = true;
    return { subject, payload: removed?.payload ?? NOTHING };
  }

  #takeEvent(source: Source, seq: number): Uint8Array {
    this.#events.set(keyOf(source, seq), true);
    // The one place after its predecessor is its own.
    const [place] = this.#history.placesAfter(source, seq - 1, Number.POSITIVE_INFINITY) ?? [];
    const message = place === undefined ? undefined : this.#history.read(source, place);
    return message?.seq === seq ? new Uint8Array(message.payload) : NOTHING;
  }
}

function keyOf(source: Source, seq: number): string {
  return `${source.subject} ${source.epoch} ${seq}`;
}
