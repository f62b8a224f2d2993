/**
 * What rebuilds a state subject in a new encoder: its last complete raw message and everything since that the encoder
 * has not confirmed; or, if the publisher sends changes, the encoder's last checkpoint and every change since.
 */
import type { Checkpoint } from '../../threads/batch.js';
import { FLAG_CHECKPOINT, FLAG_LOSS_BEFORE, holdFlags } from '../../threads/records.js';

interface RetainedMessage {
  payload: Uint8Array;
  seq: number;
  tsEventMicros: number;
  /** When the hub received it, from `monotonicMicros`; 0 for a checkpoint. */
  hubMicros: number;
  /** Record flags to apply it with. */
  flags: number;
  /** Position among the subject's messages, increasing across epochs. */
  order: number;
  /** True while it is in no batch because the queue was full. */
  isSkipped: boolean;
}

/** µs, as in a message's record. */
type RetainedTimes = Pick<RetainedMessage, 'tsEventMicros' | 'hubMicros'>;

/**
 * Maximum messages kept per subject. The encoder makes a checkpoint every 64 changes; more means that it lags far
 * behind.
 */
const MESSAGES_MAX = 4096;
/** Maximum bytes of the same. */
export const BYTES_MAX = 4 * 1024 * 1024;

export class Retention {
  #messages: RetainedMessage[] = [];
  /** Bytes added since the messages were last reduced; never too low. */
  #bytes = 0;
  #order = 0;
  /** True once the encoder has reported that single messages do not rebuild this subject. */
  #keepsChanges = false;
  /** Memory of a message that is no longer needed, for reuse. */
  #spare: Uint8Array | undefined;

  /** Copies a message in; returns its order, for `confirm` once it is encoded. */
  add(payload: Uint8Array, seq: number, times: RetainedTimes, flags: number): number {
    this.#push(payload, seq, times, flags, false);
    return this.#order;
  }

  /** True when every message since the last checkpoint is needed. */
  get keepsChanges(): boolean {
    return this.#keepsChanges;
  }

  /**
   * The queue is full. Of the messages that find no room, only the newest is kept; the encoder is told that others are
   * missing.
   * @param isTooMuch too many changes would have to be kept: the subject restarts with a complete message
   */
  addSkipped(payload: Uint8Array, seq: number, times: RetainedTimes, flags: number, isTooMuch: boolean): void {
    if (isTooMuch && this.#keepsChanges) this.#bytes = Number.POSITIVE_INFINITY;
    const newest = this.#messages[this.#messages.length - 1];
    if (newest?.isSkipped === true && !this.#keepsChanges) {
      this.#messages.pop();
      this.#push(payload, seq, times, flags | FLAG_LOSS_BEFORE, true);
    } else {
      this.#push(payload, seq, times, flags, true);
    }
  }

  /** The encoder has taken all messages up to this order. */
  confirm(order: number): void {
    if (this.#keepsChanges) return;
    let older = 0;
    while ((this.#messages[older]?.order ?? order) < order) older++;
    if (older === 0) return;
    this.#spare = this.#messages[older - 1]?.payload;
    this.#messages.splice(0, older);
    this.#count();
  }

  /** The encoder's document in the present epoch, as a complete message: earlier ones are no longer needed. */
  checkpoint({ payload, seq, upTo, hold, ...at }: Omit<Checkpoint, 'source' | 'epoch'>): void {
    this.#keepsChanges = true;
    const kept = this.#messages.findIndex(message => message.seq > upTo);
    const changes = kept < 0 ? [] : this.#messages.slice(kept);
    // For a document that is held back, the record carries since when in the event-time field.
    const flags = FLAG_CHECKPOINT | holdFlags(hold);
    const tsEventMicros = hold?.sinceMicros ?? at.tsEventMicros;
    this.#messages = [{ payload, seq, tsEventMicros, hubMicros: 0, flags, order: 0, isSkipped: false }, ...changes];
    this.#count();
  }

  /**
   * Drops a message that kills encoders; what follows it is applied as after a loss.
   * @returns undefined when it is not kept; `isNewest`: nothing has followed it yet
   */
  remove(seq: number): { readonly payload: Uint8Array; readonly isNewest: boolean } | undefined {
    const at = this.#messages.findIndex(message => message.seq === seq);
    const removed = this.#messages[at];
    if (removed === undefined) return undefined;
    this.#messages.splice(at, 1);
    const next = this.#messages[at];
    if (next !== undefined) next.flags |= FLAG_LOSS_BEFORE;
    this.#count();
    return { payload: removed.payload, isNewest: next === undefined };
  }

  /** Another epoch begins: the sequences so far are lower than all that follow. */
  beginEpoch(): void {
    for (const message of this.#messages) message.seq = 0;
  }

  /** Oldest first; applying all of them gives the current document. Those that found no room count as handed over. */
  takeAll(): readonly RetainedMessage[] {
    for (const message of this.#messages) message.isSkipped = false;
    return this.#messages;
  }

  #push(
    payload: Uint8Array,
    seq: number,
    { tsEventMicros, hubMicros }: RetainedTimes,
    flags: number,
    isSkipped: boolean,
  ): void {
    this.#bytes += payload.length;
    const isFull = this.#messages.length >= MESSAGES_MAX || this.#bytes > BYTES_MAX;
    if (isFull) {
      this.#messages = [];
      this.#bytes = payload.length;
    }
    const kept = isFull ? flags | FLAG_LOSS_BEFORE : flags;
    this.#messages.push({
      payload: this.#copy(payload),
      seq,
      tsEventMicros,
      hubMicros,
      flags: kept,
      order: ++this.#order,
      isSkipped,
    });
  }

  #count(): void {
    this.#bytes = 0;
    for (const { payload } of this.#messages) this.#bytes += payload.length;
  }

  #copy(payload: Uint8Array): Uint8Array {
    const spare = this.#spare;
    // Not `slice`: on a Buffer, which feeds hand over and refill, that is a view.
    if (spare?.length !== payload.length) return new Uint8Array(payload);
    this.#spare = undefined;
    spare.set(payload);
    return spare;
  }
}
