/** What a client that comes back to event topics missed of each, and the command that it asked with. */
import type { Place } from './event-seqs.js';
import type { LaneEntry } from './lane-table.js';
import type { Session, Subscription } from './session.js';

/** One message to be sent again, or queued behind those. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly seq: number;
  /** Stands for the epoch; 0 for that of the mark. */
  readonly tag: number;
}

/** Where an event topic stands, as clients are told. */
export interface TopicPosition {
  readonly epoch: string;
  readonly seq: number;
}

/** What a client missed of one topic. */
export interface Recovery {
  readonly resumption: Resumption;
  /** Of the request under way; 0: it was answered. */
  request: number;
  attempts: number;
  isRecovered: boolean;
  /** What is to be sent, in order: so many that were missed, then what came behind the mark. */
  frames: Frame[];
  missed: number;
  /** Of those that came behind the mark. */
  queuedBytes: number;
  /** Where the topic stood at the mark. */
  end: TopicPosition;
  endTag: number;
  /** The newest that was sent, or was sent before. */
  sent: Place;
  /** Live messages were lost behind what is queued. */
  isCut: boolean;
  /** The trades of all symbols deliver for the topic: nothing is queued for it. */
  isCovered: boolean;
  /** Something came of the request since the last sweep. */
  hasMoved: boolean;
  /** When a sweep last saw that (monotonic ms). */
  movedAtMs: number;
  /** Its mark never came: it continues where its lane stands. */
  isOverdue: boolean;
}

export interface Resumption {
  readonly session: Session;
  readonly since: TopicPosition;
  readonly subscriptions: Set<Subscription>;
  /** Topics that have not come to their mark. */
  missing: number;
  /** One of the topics cannot be recovered, so that none is. */
  isFailed: boolean;
  isDone: boolean;
  /** Answers the command. @param positions where the topics begin when nothing is recovered */
  readonly answer: (isRecovered: boolean, positions: ReadonlyMap<string, TopicPosition>) => void;
}

/** Where a lane's topic stands now; undefined where that is not known. */
export function standing({ source, seqs, isBroken }: LaneEntry): TopicPosition | undefined {
  const position = isBroken ? undefined : seqs.find(source);
  return position && { epoch: position.epoch, seq: position.newest };
}

export function newRecovery(resumption: Resumption): Recovery {
  return {
    resumption,
    request: 0,
    attempts: 0,
    isRecovered: false,
    frames: [],
    missed: 0,
    queuedBytes: 0,
    end: { epoch: '', seq: 0 },
    endTag: 0,
    sent: { tag: 0, seq: 0 },
    isCut: false,
    isCovered: false,
    hasMoved: true,
    movedAtMs: 0,
    isOverdue: false,
  };
}
