/**
 * What rebuilds a state source in a new encoder: its last raw message or, where the publisher sends changes, the last
 * whole message (made by the encoder at a checkpoint) and every change since.
 */
import { FLAG_LOSS_BEFORE } from '../protocol/records.js';

export interface RetainedMessage {
  payload: Uint8Array;
  seq: number;
  tsEventMicros: number;
  /** Record flags to apply it with. */
  flags: number;
}

/** Changes kept since a checkpoint. The encoder makes one every 64 messages; more means that it lags far behind. */
export const CHANGES_MAX = 4096;

export class Retention {
  #base: RetainedMessage | undefined;
  #changes: RetainedMessage[] = [];
  #keepsChanges = false;
  /** Sequence of the newest message that was overwritten rather than kept. */
  #overwrittenSeq = 0;

  /** False while the last message alone is kept, in the belief that it is whole. */
  get keepsChanges(): boolean {
    return this.#keepsChanges;
  }

  /** Copies the message in. */
  add(payload: Uint8Array, seq: number, tsEventMicros: number, flags: number): void {
    if (this.#keepsChanges) {
      const full = this.#changes.length >= CHANGES_MAX;
      if (full) this.#changes = [];
      this.#changes.push({
        payload: payload.slice(),
        seq,
        tsEventMicros,
        flags: full ? flags | FLAG_LOSS_BEFORE : flags,
      });
      return;
    }
    const base = this.#base;
    if (base !== undefined && base.payload.length === payload.length) {
      this.#overwrittenSeq = base.seq;
      base.payload.set(payload);
      base.seq = seq;
      base.tsEventMicros = tsEventMicros;
      base.flags = flags;
      return;
    }
    this.#overwrittenSeq = base?.seq ?? 0;
    this.#base = { payload: payload.slice(), seq, tsEventMicros, flags };
  }

  /** The encoder's document at `seq`, as a whole message: earlier messages are no longer needed. */
  checkpoint(payload: Uint8Array, seq: number): void {
    const newest = this.#base;
    if (!this.#keepsChanges && newest !== undefined && newest.seq > seq) {
      // Changes between the checkpoint and the kept message were overwritten: what follows cannot be applied to it.
      const flags = this.#overwrittenSeq > seq ? newest.flags | FLAG_LOSS_BEFORE : newest.flags;
      this.#changes.push({ ...newest, flags });
    }
    this.#keepsChanges = true;
    this.#base = { payload, seq, tsEventMicros: 0, flags: 0 };
    const kept = this.#changes.findIndex(change => change.seq > seq);
    this.#changes = kept < 0 ? [] : this.#changes.slice(kept);
  }

  /** Another epoch begins: sequences of the old one are not comparable with what follows. */
  beginEpoch(): void {
    this.#changes = [];
    this.#overwrittenSeq = 0;
    if (this.#base !== undefined) this.#base.seq = 0;
  }

  /** Oldest first; applying all of them gives the current document. */
  *messages(): IterableIterator<RetainedMessage> {
    if (this.#base !== undefined) yield this.#base;
    yield* this.#changes;
  }
}
