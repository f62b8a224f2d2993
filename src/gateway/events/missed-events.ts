/** What a returning client missed of each event topic, and the command that asked for it. */

import type { StreamPosition } from '../../protocol/stream-position.js';
import type { Place } from '../journal/place.js';
import type { TaggedPosition } from '../model/positions.js';
import type { Session, Subscription, View } from '../model/session.js';
import type { Delivery } from '../sending/deliveries.js';
import type { ReplayLog } from './replay-log.js';
import type { SharedReplay } from './shared-replays.js';

/** A live message that followed the mark. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly seq: number;
  /** Stands for the epoch. */
  readonly tag: number;
  /** For the journal. */
  readonly place?: Place | undefined;
}

/** The recovery of one topic. */
export interface Recovery {
  readonly resumption: Resumption;
  /** The replay in flight; undefined once it has reached its mark. */
  replay: SharedReplay | undefined;
  attempts: number;
  /** Shares no replay: the first message this client needs is inside a frame of the shared one. */
  isAlone: boolean;
  isRecovered: boolean;
  /** The log of missed messages still to send: from `next` up to `logEnd`; undefined: none. */
  log: ReplayLog | undefined;
  next: number;
  logEnd: number;
  /** Messages after the mark, to send after the log. */
  queued: Frame[];
  queuedBytes: number;
  /** The log's share of its session's memory. */
  logBytes: number;
  /** Bytes that the session was charged for at encoding and has not been sent yet. */
  paidBytes: number;
  /** Sends more of it; undefined while nothing is waiting. */
  delivery: Delivery | undefined;
  /** The topic's position at the mark. */
  end: StreamPosition;
  endTag: number;
  /** The newest position sent, now or before the client returned. */
  sent: TaggedPosition;
  /** Live messages after the queued ones were lost. */
  isCut: boolean;
  /** `trades:*` delivers for the topic: nothing is queued for it. */
  isCovered: boolean;
  /** Its mark never came: it continues at its view's position. */
  isOverdue: boolean;
}

export interface Resumption {
  readonly session: Session;
  readonly since: StreamPosition;
  readonly subscriptions: Set<Subscription>;
  /** Topics that have not reached their mark. */
  missing: number;
  /** One of the topics cannot be recovered, so none is. */
  isFailed: boolean;
  isDone: boolean;
  /** Replies to the command. @param positions where the topics begin when nothing is recovered */
  readonly answer: (
    isRecovered: boolean,
    positions: ReadonlyMap<string, StreamPosition>,
    topics: ReadonlySet<string>,
  ) => void;
  /** Called, perhaps often, when the answer waits for the feed: the session's later commands need not. */
  readonly onHeld: () => void;
}

/** The current position of a view's topic; undefined when unknown. */
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
