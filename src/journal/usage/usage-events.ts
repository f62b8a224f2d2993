/** The second reading of a chain: what begins and ends access, in the order of time. */
import { parseLine } from '../segments.js';
import { journalLines } from './record-lines.js';
import { type Period, readingEnd, type Survey } from './survey.js';
import { OVERLAP_MICROS } from './timeline.js';

/** Records held back to be put in order; beyond that, the oldest is released, in order or not. */
const KEPT_BACK_MAX = 500_000;

const KINDS = ['connected', 'authenticated', 'subscribed', 'unsubscribed', 'closed'] as const;
type ConnectionKind = (typeof KINDS)[number];

interface At {
  readonly micros: number;
  /** Which of the report's chains it is from. */
  readonly chain: number;
  readonly run: number;
  /** Its time is another record's, because the clock was wrong: of one moment, such events stay in the order of writing. */
  readonly isMoved: boolean;
}

export interface ConnectionEvent extends At {
  readonly kind: ConnectionKind;
  readonly connection: string;
  readonly members: Readonly<Record<string, unknown>>;
}

/** The last sign of life of a thread in a run: what is open on it then ends. */
interface ThreadEnd extends At {
  readonly kind: 'thread_end';
  readonly thread: number;
}

export type UsageEvent = ConnectionEvent | ThreadEnd;

/** True for what ends access. */
export const isEnd = ({ kind }: UsageEvent): boolean =>
  kind === 'closed' || kind === 'unsubscribed' || kind === 'thread_end';

/** @throws {Error} when a file cannot be read */
export async function* usageEvents(chain: number, survey: Survey, period: Period): AsyncGenerator<UsageEvent> {
  const queue = new EventQueue();
  let run = 0;
  const beginRun = (): void => {
    for (const [thread, micros] of survey.runs[run] ?? []) {
      queue.add({ kind: 'thread_end', micros, chain, run, isMoved: false, thread }, Number.MAX_SAFE_INTEGER);
    }
  };
  beginRun();
  let line = 0;
  let newest = 0;
  const momentOf = survey.timeline.reader();
  /** When the last event of each open connection was: a clock that is set back a little must not swap them. */
  const last = new Map<string, number>();
  for await (const read of journalLines(survey.segments)) {
    if (read.is !== 'record') continue;
    const { micros, isMoved } = momentOf(read.micros);
    if (micros > readingEnd(period)) break;
    newest = Math.max(newest, micros);
    while (queue.oldestMicros() < newest - OVERLAP_MICROS || queue.size > KEPT_BACK_MAX) yield queue.take();
    if (read.kind === 'started') {
      run++;
      last.clear();
      beginRun();
    } else if (isConnectionKind(read.kind)) {
      const members = parseLine(read.bytes) ?? {};
      const { c: connection } = members;
      if (typeof connection !== 'string') continue;
      const at = Math.max(micros, last.get(connection) ?? 0);
      if (read.kind === 'closed') last.delete(connection);
      else last.set(connection, at);
      queue.add({ kind: read.kind, micros: at, chain, run, isMoved, connection, members }, line++);
    }
  }
  while (queue.size > 0) yield queue.take();
}

const isConnectionKind = (kind: string): kind is ConnectionKind => KINDS.includes(kind as ConnectionKind);

/** Merges events of several chains, each in order. Of equal times, those of the first chain come first. */
export async function* mergeEvents(chains: readonly AsyncGenerator<UsageEvent>[]): AsyncGenerator<UsageEvent> {
  const heads = await Promise.all(chains.map(chain => chain.next()));
  for (;;) {
    let first = -1;
    let micros = Number.POSITIVE_INFINITY;
    for (const [at, head] of heads.entries()) {
      if (head.done === true || head.value.micros >= micros) continue;
      first = at;
      micros = head.value.micros;
    }
    const [head, chain] = [heads[first], chains[first]];
    if (head === undefined || head.done === true || chain === undefined) return;
    yield head.value;
    heads[first] = await chain.next();
  }
}

interface Queued {
  readonly event: UsageEvent;
  /** Order among events of one time. */
  readonly order: number;
}

/** A binary heap: the oldest event first. */
class EventQueue {
  readonly #heap: Queued[] = [];

  get size(): number {
    return this.#heap.length;
  }

  oldestMicros(): number {
    return this.#heap[0]?.event.micros ?? Number.POSITIVE_INFINITY;
  }

  add(event: UsageEvent, order: number): void {
    const heap = this.#heap;
    const added = { event, order };
    let at = heap.push(added) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(added, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = added;
  }

  /** Of a queue that is not empty. */
  take(): UsageEvent {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) throw new Error('the queue is empty');
    let at = 0;
    while (heap.length > 0) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left !== undefined && right !== undefined && isBefore(right, left)) child++;
      const below = heap[child];
      if (below === undefined || !isBefore(below, last)) {
        heap[at] = last;
        break;
      }
      heap[at] = below;
      at = child;
    }
    return first.event;
  }
}

function isBefore(one: Queued, other: Queued): boolean {
  const byTime = one.event.micros - other.event.micros;
  return byTime < 0 || (byTime === 0 && one.order < other.order);
}
