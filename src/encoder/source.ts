/** What every source (one subject's encoder state) does, whatever it carries. */
import type { Hold, HoldReason, RejectReason } from '../threads/batch.js';
import type { PlainObject } from './decode.js';

/** Outcome of one publisher message. `no_base`: a partial message that no whole one precedes; it is skipped. */
export type DataOutcome = 'applied' | 'no_base' | RejectReason;

export interface SourceEncoder {
  /**
   * Takes one decoded message.
   * @param quiet rebuilds the state without sending
   */
  data(value: PlainObject, at: MessageTimes, quiet: boolean): DataOutcome;
  /** Messages before the next one were lost. Clients are told unless that one is whole. */
  lost(reason: HoldReason): void;
  /** The message was refused: it counts as lost. */
  refused(reason: RejectReason, at: MessageTimes, quiet: boolean): void;
  /** Of a state source that lacks a message: why. */
  readonly hold: Hold | null;
  /** Holds a state source back, if it is not yet. @param quiet tells no client */
  holdBack(hold: Hold, quiet: boolean): void;
  /** Sequences from here on count in this epoch. */
  beginEpoch(epoch: string): void;
  want(lane: number, worker: number): void;
  unwant(lane: number, worker: number): void;
  /** Replies one worker with the lane's current document (state) or last sequence (event). */
  snapshot(lane: number, worker: number, request: number, heldSeq?: number): void;
  /** Sends what the class has not sent yet. */
  flush(rateClass: number): void;
  gap(from: number, to: number, reason: string): void;
  /** Event sources: the next message follows this sequence. */
  resume(seq: number): void;
  /** The worker is gone. */
  forget(worker: number): void;
  /** The source is forgotten. */
  drop(): void;
  /** A whole message (JSON) that rebuilds the state at `seq`; undefined when the last raw message already does
   * (unless `isNeeded` says that it does not) or there is no document. From the first one on, it is always given. */
  checkpoint(isNeeded: boolean): Rebuild | undefined;
}

export interface MessageTimes {
  readonly seq: number;
  /** Publisher's event time, µs since the epoch; 0 unknown. */
  readonly tsEventMicros: number;
  /** When the hub received it, of `monotonicMicros`. */
  readonly hubMicros: number;
  /** Length of its payload. */
  readonly bytes: number;
}

/** A whole message, as a publisher could have sent it, that stands for everything up to `seq`. */
export interface Rebuild {
  readonly epoch: string;
  readonly seq: number;
  /** Messages up to this sequence are no longer needed. */
  readonly upTo: number;
  readonly text: string;
  /** Publisher's event time of the document, µs; 0 unknown. */
  readonly tsEventMicros: number;
  readonly hold: Hold | null;
}

/** Gives a source what was decoded, or the reason why that could not be. */
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
