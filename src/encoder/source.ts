/** The interface of every source (the encoder state of one subject), whatever it carries. */
import type { Hold, RejectReason, StaleReason } from '../threads/batch.js';
import type { PlainObject } from './decode.js';

/** Outcome of one publisher message. `no_base`: a partial message without a whole one before it; it is skipped. */
export type DataOutcome = 'applied' | 'no_base' | RejectReason;

export interface SourceEncoder {
  /**
   * Takes one decoded message.
   * @param quiet rebuild the state without sending
   */
  data(value: PlainObject, at: MessageTimes, quiet: boolean): DataOutcome;
  /** Messages before the next one were lost. Clients are told unless that one is whole. */
  lost(reason: StaleReason): void;
  /** The message was refused: it counts as lost. */
  refused(reason: RejectReason, at: MessageTimes, quiet: boolean): void;
  /** Why a state source is held back: it lacks a message. */
  readonly hold: Hold | null;
  /** Holds a state source back unless it already is. @param quiet do not tell clients */
  holdBack(hold: Hold, quiet: boolean): void;
  /** Counts sequences in this epoch from now on. */
  beginEpoch(epoch: string): void;
  want(lane: number, worker: number): void;
  unwant(lane: number, worker: number): void;
  /** Sends one worker the lane's current document (state) or last sequence (event). */
  snapshot(lane: number, worker: number, request: number, sentSeq?: number): void;
  /** Sends the class everything pending. */
  flush(rateClass: number): void;
  gap(from: number, to: number, reason: string): void;
  /** Event sources: the next message follows this sequence. */
  resume(seq: number): void;
  /** Drops all state of a worker that died. */
  forget(worker: number): void;
  /** Releases what the source holds; the encoder then forgets it. */
  drop(): void;
  /**
   * A whole message (JSON) that rebuilds the state at `seq`. Undefined if there is no document, or if the last raw message
   * already rebuilds it (unless `isNeeded` says otherwise). Once given, it is always given.
   */
  checkpoint(isNeeded: boolean): Rebuild | undefined;
  /** State sources: the document as clients see it, for those that get it later. Undefined if there is none. */
  capture(): Rebuild | undefined;
}

export interface MessageTimes {
  readonly seq: number;
  /** Publisher's event time, µs since the epoch; 0: unknown. */
  readonly tsEventMicros: number;
  /** When the hub received it, by `monotonicMicros`. */
  readonly hubMicros: number;
  /** Length of its payload. */
  readonly bytes: number;
}

/** A whole message, as a publisher could have sent it, that replaces everything up to `seq`. */
export interface Rebuild {
  readonly epoch: string;
  readonly seq: number;
  /** Messages up to this sequence are no longer needed. */
  readonly upTo: number;
  readonly text: string;
  /** Publisher's event time of the document, µs; 0: unknown. */
  readonly tsEventMicros: number;
  readonly hold: Hold | null;
}

/** Passes a decoded message to a source, or the reason why it could not be decoded. */
export function applied(
  encoder: SourceEncoder,
  decoded: PlainObject | RejectReason,
  times: MessageTimes,
  quiet: boolean,
): DataOutcome {
  if (typeof decoded !== 'string') return encoder.data(decoded, times, quiet);
  encoder.refused(decoded, times, quiet);
  return decoded;
}
