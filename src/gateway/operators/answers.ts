/** Answers what the main thread asks of a gateway thread on behalf of operators. */
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import type { CloseCode } from '../../protocol/close-code.js';
import { STREAMS } from '../../protocol/topics.js';
import { monotonicMicros } from '../../protocol/wall-clock.js';
import type { AdminQuestion, AdminTopics, LoadSample } from '../../threads/admin-messages.js';
import type { FromWorker } from '../../threads/thread-messages.js';
import type { Fanout } from '../delivery/fanout.js';
import type { ConnectionIds } from '../model/connection-ids.js';
import type { Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Receipts } from '../sending/receipts.js';
import type { Ladder } from '../slow-consumers/ladder.js';
import type { Overload } from '../slow-consumers/overload.js';
import type { ClientLog } from '../supervision/client-log.js';
import type { SentCell, Views } from '../views/views.js';
import { detailOf } from './connection-detail.js';
import { type ListParts, listConnections } from './connection-list.js';
import { TopicDocuments } from './documents.js';
import { Notices } from './notices.js';
import { SendRates } from './rates.js';

/** Views counted in one turn of the loop: below 1 ms. */
const COUNTED_PER_TURN = 10_000;
const REASON = 'ended by an operator';

interface OperatorAnswersOptions {
  readonly worker: number;
  readonly sessions: ReadonlySet<Session>;
  readonly ids: ConnectionIds;
  readonly log: Pick<ClientLog, 'shown'>;
  readonly views: Views;
  readonly outbox: Outbox;
  readonly receipts: Receipts;
  readonly ladder: Ladder;
  readonly fanout: Fanout;
  readonly sent: ReadonlyMap<string, SentCell>;
  /** Refused connections so far, by reason. */
  readonly refused: ReadonlyMap<string, number>;
  readonly overload: Pick<Overload, 'loopDelayMs' | 'frameAgeMs'>;
  readonly end: (session: Session, code: CloseCode, reason: string) => void;
  readonly noticeBytesMax: number;
  readonly post: (message: FromWorker) => void;
  readonly nowMs: () => number;
  readonly onFault: (what: string, cause: unknown) => void;
}

export class OperatorAnswers {
  readonly #options: OperatorAnswersOptions;
  readonly #list: ListParts;
  readonly #rates: SendRates;
  readonly #documents: TopicDocuments;
  readonly #notices: Notices;
  #utilised = performance.eventLoopUtilization();

  constructor(options: OperatorAnswersOptions) {
    this.#options = options;
    const { worker, sessions, ids, receipts, nowMs, views, outbox, noticeBytesMax } = options;
    this.#rates = new SendRates(sessions, nowMs);
    const originMs = monotonicMicros() / 1000 - nowMs();
    const idOf = (connection: number) => ids.text(connection);
    this.#list = { worker, sessions, idOf, receipts, rates: this.#rates, nowMs, originMs };
    this.#documents = new TopicDocuments(views);
    this.#notices = new Notices({ sessions, outbox, bufferedBytesMax: noticeBytesMax });
  }

  /** Answers in time or not at all: the main thread does not wait for long. */
  async take(question: AdminQuestion): Promise<void> {
    try {
      this.#options.post({ type: 'admin', id: question.id, answer: await this.#answer(question) });
    } catch (cause) {
      // The main thread counts the questions that are open.
      this.#options.post({ type: 'admin', id: question.id, answer: undefined, hasFailed: true });
      this.#options.onFault(`an operator's question about ${question.about} failed`, cause);
    }
  }

  #answer(question: AdminQuestion): unknown {
    switch (question.about) {
      case 'sample':
        return this.#sample();
      case 'connections':
        return listConnections(this.#list, question.query);
      case 'connection':
        return this.#detail(question.connection);
      case 'end':
        return this.#end(question.connection, question.code);
      case 'subscribers':
        return this.#subscribers();
      case 'document':
        return this.#documents.of(question.stream, question.symbol);
      case 'notice':
        return this.#notices.send(question.frame, question.to);
    }
  }

  #sample(): LoadSample {
    const { sessions, ladder, fanout, sent, refused, outbox, views, overload } = this.#options;
    this.#rates.measure();
    const before = this.#utilised;
    this.#utilised = performance.eventLoopUtilization();
    let [deliveries, sentBytes, refusals] = [outbox.control.messages, outbox.control.bytes, 0];
    for (const cell of sent.values()) {
      deliveries += cell.messages;
      sentBytes += cell.bytes;
    }
    for (const count of refused.values()) refusals += count;
    const { institutional, retail } = ladder.ages.observed;
    const retailBuckets = retail.counts.buckets;
    return {
      thread: threadId,
      open: sessions.size,
      deliveries,
      sentBytes,
      refused: refusals,
      bufferedBytes: ladder.waitingBytes.all,
      circuitsOpen: ladder.open,
      views: views.size,
      loopDelayMs: overload.loopDelayMs,
      frameAgeMs: overload.frameAgeMs,
      latencyBuckets: fanout.latencies.hubToPublish.realtime.buckets,
      ageBuckets: institutional.counts.buckets.map((count, b) => count + (retailBuckets[b] ?? 0)),
      utilisation: performance.eventLoopUtilization(this.#utilised, before).utilization,
    };
  }

  #detail(connection: string): AdminTopics['connection']['answer'] {
    const session = this.#find(connection);
    return session === undefined ? undefined : detailOf(this.#list, session);
  }

  #end(connection: string, code: CloseCode): AdminTopics['end']['answer'] {
    const session = this.#find(connection);
    if (session === undefined || session.keepalive.closingAtMs > 0) return undefined;
    const user = this.#options.log.shown(session.credential.sub);
    this.#options.end(session, code, REASON);
    return { user };
  }

  #find(connection: string): Session | undefined {
    const number = this.#options.ids.numberOf(connection);
    if (number === undefined) return undefined;
    for (const session of this.#options.sessions) if (session.id === number) return session;
    return undefined;
  }

  async #subscribers(): Promise<Float64Array> {
    const counts = new Map<number, number>();
    let examined = 0;
    for (const view of this.#options.views.all()) {
      if (++examined % COUNTED_PER_TURN === 0) await nextTurn();
      if (view.source < 0) continue;
      const key = view.source * STREAMS.length + STREAMS.indexOf(view.stream);
      counts.set(key, (counts.get(key) ?? 0) + view.pins);
    }
    const pairs = new Float64Array(counts.size * 2);
    let at = 0;
    for (const [key, count] of counts) {
      pairs[at++] = key;
      pairs[at++] = count;
    }
    return pairs;
  }
}
