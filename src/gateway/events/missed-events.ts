/** What a client that comes back to event topics missed of each, and the command that it asked with. */

import type { StreamPosition } from '../../protocol/stream-position.js';
import type { Place } from '../model/positions.js';
import type { Session, Subscription, View } from '../model/session.js';
import type { Delivery } from '../sending/deliveries.js';
import type { ReplayLog } from './replay-log.js';
import type { SharedReplay } from './shared-replays.js';

/** A live message that came behind the mark. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly seq: number;
  /** Stands for the epoch. */
  readonly tag: number;
}

/** What a client missed of one topic. */
export interface Recovery {
  readonly resumption: Resumption;
  /** Under way; undefined: it has come to its mark. */
  replay: SharedReplay | undefined;
  attempts: number;
  /** It takes part in nobody else's replay: what the client lacks begins within a frame of that. */
  isAlone: boolean;
  isRecovered: boolean;
  /** What it missed and is still to be sent: from `next` up to `logEnd` of the log; undefined: none of it. */
  log: ReplayLog | undefined;
  next: number;
  logEnd: number;
  /** What came behind the mark, to be sent after that. */
  queued: Frame[];
  queuedBytes: number;
  /** What of its session's memory the log takes. */
  logBytes: number;
  /** Bytes that the session was charged for when they were encoded, and has not been sent. */
  paidBytes: number;
  /** Sends more of it; undefined while nothing has to wait. */
  delivery: Delivery | undefined;
  /** Where the topic stood at the mark. */
  end: StreamPosition;
  endTag: number;
  /** The newest that was sent, or was sent before. */
  sent: Place;
  /** Live messages were lost behind what is queued. */
  isCut: boolean;
  /** The trades of all symbols deliver for the topic: nothing is queued for it. */
  isCovered: boolean;
  /** Its mark never came: it continues where its view stands. */
  isOverdue: boolean;
}

export interface Resumption {
  readonly session: Session;
  readonly since: StreamPosition;
  readonly subscriptions: Set<Subscription>;
  /** Topics that have not come to their mark. */
  missing: number;
  /** One of the topics cannot be recovered, so that none is. */
  isFailed: boolean;
  isDone: boolean;
  /** Replies the command. @param positions where the topics begin when nothing is recovered */
  readonly answer: (isRecovered: boolean, positions: ReadonlyMap<string, StreamPosition>) => void;
}

/** Where a view's topic stands now; undefined where that is not known. */
export function standing({ source, seqs, isBroken }: View): StreamPosition | undefined {
  const position = isBroken ? undefined : seqs.find(source);
  return position && { epoch: position.epoch, seq: position.newest };
}

export function newRecovery(resumption: Resumption): Recovery {
  return {
    resumption,
    replay: undefined,
    attempts: 0,
    isAlone: false,
    isRecovered: false,
    log: undefined,
    next: 0,
    logEnd: 0,
    queued: [],
    queuedBytes: 0,
    logBytes: 0,
    paidBytes: 0,
    delivery: undefined,
    end: { epoch: '', seq: 0 },
    endTag: 0,
    sent: { tag: 0, seq: 0 },
    isCut: false,
    isCovered: false,
    isOverdue: false,
  };
}
