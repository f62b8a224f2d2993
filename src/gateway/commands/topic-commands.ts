/** `subscribe`, `unsubscribe` and `resync`. Each gets one reply for all the topics it names. */

import { mayHave } from '../../auth/credential.js';
import type { ErrorCode } from '../../protocol/codes.js';
import type { CommandId } from '../../protocol/command-limits.js';
import type { ResyncCommand, SubscribeCommand, UnsubscribeCommand } from '../../protocol/commands.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import { isMarketData, isStateStream, topicOf } from '../../protocol/topics.js';
import { CLASSES, classNumber, DEPTHS } from '../../protocol/view-options.js';
import { depthDetail } from '../../threads/lanes.js';
import type { Resumption } from '../events/missed-events.js';
import { RETRY_AFTER_MS } from '../limits/retry-after.js';
import type { RequestedTopic, Session } from '../model/session.js';
import { shorten } from '../refusal.js';
import { andThen, type Handled } from '../sessions/maybe-promise.js';
import type { Replies } from '../sessions/replies.js';
import type { SimultaneousUse } from '../sessions/simultaneous-use.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import type { ServedTurns } from '../supervision/served-turns.js';
import { laneFor } from '../views/view-of.js';
import { mustBeKnown, type NamedTopics, namedTopicsOf } from './requested-topics.js';
import type { SymbolLookup } from './symbol-lookup.js';
import { TopicReplies } from './topic-replies.js';

/**
 * Topics of one command that are served in one turn of the loop, so that others do not wait for all of them. Quotes
 * requested together come in one snapshot, and are served together.
 */
const TOPICS_PER_TURN = 16;

interface TopicCommandsOptions {
  readonly subscriptions: Subscriptions;
  readonly symbols: SymbolLookup;
  readonly replies: Replies;
  readonly use: Pick<SimultaneousUse, 'begin'>;
  readonly subscriptionsMax: number;
  readonly turns: Pick<ServedTurns, 'later'>;
  /** Default: 16. */
  readonly topicsPerTurn?: number;
}

/** A `subscribe` command that is fully checked except for whether its names exist. */
interface Subscribing {
  readonly session: Session;
  readonly command: SubscribeCommand;
  readonly named: NamedTopics;
  readonly rateClass: number;
  readonly detail: number;
}

export class TopicCommands {
  /** True under overload: retail clients get no new subscriptions. */
  isShedding = false;
  /** Commands refused because of overload. */
  shed = 0;
  /** Topics for which a client requested another snapshot. */
  resyncs = 0;
  readonly #subscriptions: Subscriptions;
  readonly #symbols: SymbolLookup;
  readonly #replies: Replies;
  readonly #answers: TopicReplies;
  readonly #use: Pick<SimultaneousUse, 'begin'>;
  readonly #subscriptionsMax: number;
  readonly #turns: Pick<ServedTurns, 'later'>;
  readonly #topicsPerTurn: number;

  constructor(options: TopicCommandsOptions) {
    this.#subscriptions = options.subscriptions;
    this.#symbols = options.symbols;
    this.#replies = options.replies;
    this.#answers = new TopicReplies(options.replies);
    this.#use = options.use;
    this.#subscriptionsMax = options.subscriptionsMax;
    this.#turns = options.turns;
    this.#topicsPerTurn = options.topicsPerTurn ?? TOPICS_PER_TURN;
  }

  subscribe(session: Session, command: SubscribeCommand): Handled {
    if (this.isShedding && session.tier === 'retail') {
      this.shed++;
      this.#replies.rateLimited(session, command.id, 'gateway overloaded', RETRY_AFTER_MS);
      return undefined;
    }
    const named = this.#namedBy(session, command);
    if (named === undefined) return undefined;
    const rateClass = this.#classOf(session, command);
    const detail = this.#detailOf(session, command);
    if (rateClass === undefined || detail === undefined) return undefined;
    if (named.names.length > this.#subscriptionsMax) return this.#tooMany(session, command.id);
    const subscribing = { session, command, named, rateClass, detail };
    const unknown = mustBeKnown(named) ? this.#symbols.unknown(named.names) : [];
    return andThen(unknown, names => this.#subscribeKnown(subscribing, names)) as Handled;
  }

  unsubscribe(session: Session, command: UnsubscribeCommand): Handled {
    const named = this.#namedBy(session, command);
    if (named === undefined) return undefined;
    if (named.names.length > this.#subscriptionsMax) return this.#tooMany(session, command.id);
    const topics = named.names.map(name => topicOf(named.stream, name));
    const left = this.#inTurns(session, topics, this.#topicsPerTurn, part => {
      for (const topic of part) this.#subscriptions.unsubscribe(session, topic);
    });
    return andThen(left, () => {
      this.#replies.send(session, command.id, { type: 'unsubscribed', stream: named.stream, topics });
    }) as Handled;
  }

  resync(session: Session, command: ResyncCommand): Handled {
    const named = this.#namedBy(session, command);
    if (named === undefined) return undefined;
    if (named.names.length > this.#subscriptionsMax) return this.#tooMany(session, command.id);
    const topics = named.names.map(name => topicOf(named.stream, name));
    this.resyncs += topics.length;
    const missing: string[] = [];
    const sent = this.#inTurns(session, topics, this.#perTurn(named.stream), part => {
      missing.push(...this.#subscriptions.resync(session, part));
    });
    return andThen(sent, () => {
      if (missing.length > 0) this.#fail(session, command.id, 'not_subscribed', `not subscribed: ${shorten(missing)}`);
    }) as Handled;
  }

  #subscribeKnown(subscribing: Subscribing, unknown: readonly string[]): Handled {
    const { session, command, named, rateClass, detail } = subscribing;
    if (session.socket === undefined) return undefined;
    const { stream } = named;
    // A client may name 100,000 symbols: avoid anything quadratic here.
    const unknownSet = new Set(unknown);
    const known = named.names.filter(name => !unknownSet.has(name));
    const allowed = known.filter(name => mayHave(session.entitlements, stream, name));
    const lane = laneFor(session, stream, detail, rateClass);
    const requested = allowed.map(symbol => ({ stream, symbol, lane }));
    const added = requested.filter(topic => !isSubscribed(session, topic)).length;
    if (session.subscriptions.size + added > this.#subscriptionsMax) return this.#tooMany(session, command.id);
    if (requested.length > 0 && isMarketData(stream)) {
      const refusal = this.#use.begin(session);
      if (refusal !== undefined) {
        this.#replies.rateLimited(session, command.id, refusal, RETRY_AFTER_MS);
        return undefined;
      }
    }
    const refuse = () => this.#refuse(subscribing, unknown, known, allowed);
    if (requested.length === 0) {
      refuse();
      return undefined;
    }
    if (isStateStream(stream)) return this.#subscribeStates(subscribing, requested, refuse);
    if (command.since !== undefined && !named.isAll) {
      return this.#resume(subscribing, requested, command.since, refuse);
    }
    return this.#subscribeEvents(subscribing, requested, refuse);
  }

  #subscribeEvents(subscribing: Subscribing, requested: readonly RequestedTopic[], refuse: () => void): Handled {
    const { session, command } = subscribing;
    let isAnswered = false;
    let done: (() => void) | undefined;
    this.#subscriptions.subscribeEvents(session, requested, () => {
      const served = requested.filter(topic => isSubscribed(session, topic));
      const isRecovered = command.since === undefined ? undefined : false;
      if (served.length > 0) this.#subscribed(subscribing, served, isRecovered, this.#positions(session, served));
      refuse();
      isAnswered = true;
      done?.();
    });
    if (isAnswered) return undefined;
    return new Promise(resolve => {
      done = resolve;
    });
  }

  #subscribeStates(subscribing: Subscribing, requested: readonly RequestedTopic[], refuse: () => void): Handled {
    const { session, command, named } = subscribing;
    // For a state topic, the snapshot covers whatever the client missed.
    this.#subscribed(subscribing, requested, command.since === undefined ? undefined : false);
    refuse();
    return this.#inTurns(session, requested, this.#perTurn(named.stream), (part, isFirst) => {
      const allowed = isFirst ? part : this.#stillAllowed(subscribing, part);
      const present = allowed.filter(topic => isSubscribed(session, topic));
      this.#subscriptions.subscribe(session, allowed);
      // A client that is told nothing was recovered is promised a snapshot.
      if (command.since === undefined) return;
      const topics = present.map(({ stream, symbol }) => topicOf(stream, symbol));
      this.#subscriptions.resync(session, topics);
    });
  }

  /** The topics as the session may have them now: its rights and its tier may have changed between two turns. */
  #stillAllowed(
    { session, command, named, rateClass, detail }: Subscribing,
    requested: readonly RequestedTopic[],
  ): readonly RequestedTopic[] {
    const { stream } = named;
    const fastest = Math.max(rateClass, session.identity.fastestClass);
    const lane = laneFor(session, stream, detail, fastest);
    const allowed = requested.filter(({ symbol }) => mayHave(session.entitlements, stream, symbol));
    if (allowed.length < requested.length) {
      const denied = requested.filter(topic => !allowed.includes(topic)).map(({ symbol }) => symbol);
      this.#answers.denied({ session, id: command.id, stream }, denied, Number.POSITIVE_INFINITY);
    }
    return allowed.map(({ symbol }) => ({ stream, symbol, lane }));
  }

  #perTurn(stream: string): number {
    return stream === 'quotes' ? Number.POSITIVE_INFINITY : this.#topicsPerTurn;
  }

  /** Works through the list, so many at a time, each time in a turn of its own while the connection lasts. */
  #inTurns<T>(
    session: Session,
    list: readonly T[],
    perTurn: number,
    work: (part: readonly T[], isFirst: boolean) => void,
  ): Handled {
    if (list.length <= perTurn) {
      work(list, true);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      let done = 0;
      const next = (): void => {
        if (session.socket === undefined) {
          resolve();
          return;
        }
        try {
          work(list.slice(done, done + perTurn), done === 0);
        } catch (cause) {
          reject(cause);
          return;
        }
        done += perTurn;
        if (done < list.length) this.#turns.later(session, next);
        else resolve();
      };
      next();
    });
  }

  #resume(
    subscribing: Subscribing,
    requested: readonly RequestedTopic[],
    since: StreamPosition,
    refuse: () => void,
  ): Handled {
    const { session } = subscribing;
    return new Promise(resolve => {
      const answer: Resumption['answer'] = (isRecovered, positions, topics) => {
        const isIts = ({ stream, symbol }: RequestedTopic) => topics.has(topicOf(stream, symbol));
        const served = requested.filter(topic => isIts(topic) && isSubscribed(session, topic));
        if (served.length > 0) this.#subscribed(subscribing, served, isRecovered, isRecovered ? undefined : positions);
        refuse();
        resolve();
      };
      this.#subscriptions.resumeFrom(session, requested, since, answer, resolve);
    });
  }

  /** The positions of event topics; `trades:*` has one position per symbol. */
  #positions(session: Session, requested: readonly RequestedTopic[]): Map<string, StreamPosition> {
    const positions = new Map<string, StreamPosition>();
    for (const { stream, symbol } of requested) {
      const topic = topicOf(stream, symbol);
      const view = session.subscriptions.get(topic)?.view;
      const position = view?.seqs.find(view.source);
      if (position !== undefined && position.epoch !== '') {
        positions.set(topic, { epoch: position.epoch, seq: position.newest });
      }
    }
    return positions;
  }

  #subscribed(
    { session, command, named: { stream }, rateClass }: Subscribing,
    requested: readonly RequestedTopic[],
    isRecovered: boolean | undefined,
    positions?: ReadonlyMap<string, StreamPosition>,
  ): void {
    const served = { session, id: command.id, stream, rateClass, isRecovered, positions };
    this.#answers.subscribed(served, requested);
  }

  #refuse(
    { session, command, named }: Subscribing,
    unknown: readonly string[],
    known: readonly string[],
    allowed: readonly string[],
  ): void {
    const asked = { session, id: command.id, stream: named.stream };
    this.#answers.unknown(asked, unknown, named.names.length);
    if (allowed.length === known.length) return;
    const allowedSet = new Set(allowed);
    this.#answers.denied(
      asked,
      known.filter(name => !allowedSet.has(name)),
      named.names.length,
    );
  }

  #namedBy(session: Session, command: SubscribeCommand | UnsubscribeCommand | ResyncCommand): NamedTopics | undefined {
    const named = namedTopicsOf(session, command);
    if (!('code' in named)) return named;
    this.#fail(session, command.id, named.code, named.message);
    return undefined;
  }

  #classOf(session: Session, command: SubscribeCommand): number | undefined {
    if (command.class === undefined) return session.identity.defaultClass;
    const rateClass = classNumber(command.class);
    if (rateClass === undefined) {
      this.#fail(session, command.id, 'invalid_message', `class: must be one of ${CLASSES.join(', ')}`);
      return undefined;
    }
    if (rateClass >= session.identity.fastestClass) return rateClass;
    const fastest = CLASSES[session.identity.fastestClass];
    this.#fail(session, command.id, 'forbidden', `class: the fastest for this credential is ${fastest}`);
    return undefined;
  }

  #detailOf(session: Session, command: SubscribeCommand): number | undefined {
    const detail = depthDetail(command.depth ?? DEPTHS[0]);
    if (detail === undefined) {
      this.#fail(session, command.id, 'invalid_message', `depth: must be one of ${DEPTHS.join(', ')}`);
    }
    return detail;
  }

  #tooMany(session: Session, id: CommandId | undefined): undefined {
    this.#fail(session, id, 'too_many_subscriptions', `at most ${this.#subscriptionsMax} topics per connection`);
  }

  #fail(session: Session, id: CommandId | undefined, code: ErrorCode, message: string): void {
    this.#replies.fail(session, id, code, message);
  }
}

const isSubscribed = ({ subscriptions }: Session, { stream, symbol }: RequestedTopic): boolean =>
  subscriptions.has(topicOf(stream, symbol));
