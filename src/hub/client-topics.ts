/**
 * The subjects that clients ask for: those that exist already, and those that are created for clients, within their
 * shares.
 */
import { isName, isOnDemand, type SourceKind, subjectOf } from '../protocol/topics.js';
import { PublishedRooms } from './events/published-rooms.js';
import { ClientSubjects, type Refusal } from './sources/client-subjects.js';
import { partsOf, type Subject } from './sources/subject-table.js';

interface ClientTopicsOptions {
  /** Maximum subjects without data that clients follow, in total and per owner. */
  readonly max: number;
  readonly perOwnerMax: number;
  readonly find: (name: string) => Subject | undefined;
  /** Undefined when the subject table is full. */
  readonly create: (kind: SourceKind, symbol: string) => Subject | undefined;
  readonly knowsSymbol: (symbol: string) => boolean;
  /** Forgets an unwanted subject at once. */
  readonly endNow: (subject: Subject) => void;
}

/** Why there is no subject: the name is not valid, the owner's share is used up, or there are too many in total. */
type NoSubject = 'unknown' | Refusal;

export class ClientTopics {
  /** Requests beyond a limit; `shares`: those beyond the limit of one owner. */
  readonly counters = { refused: 0, shares: 0 };
  readonly #options: ClientTopicsOptions;
  readonly #followed: ClientSubjects;
  readonly #published: PublishedRooms;

  constructor(options: ClientTopicsOptions) {
    this.#options = options;
    this.#followed = new ClientSubjects(options.max, options.perOwnerMax);
    this.#published = new PublishedRooms(options.endNow);
  }

  /** The subject named `<kind>:<symbol>`, if it exists. */
  find(name: string): Subject | undefined {
    return this.#options.find(subjectOf(...partsOf(name)));
  }

  /** The subject to follow on this owner's behalf; created if it is new. */
  follow(name: string, owner: number): Subject | NoSubject {
    const [kind, symbol] = partsOf(name);
    const found = this.find(name);
    if (found !== undefined && !this.#published.has(found)) return found;
    if (found === undefined && !this.#mayExist(kind, symbol)) return 'unknown';
    const isCounted = this.#followed.counts(kind);
    const refusal = isCounted ? this.#followed.refusalOf(owner) : undefined;
    if (refusal !== undefined) return this.#refuse(refusal);
    const subject = found ?? this.#options.create(kind, symbol);
    if (subject === undefined) return this.#refuse('full');
    this.#published.remove(subject);
    if (isCounted) this.#followed.add(subject, owner);
    return subject;
  }

  /** The room to publish into on this owner's behalf; followed until that is done, unless it is followed anyway. */
  publishInto(room: string, owner: number): Subject | Refusal {
    const found = this.find(`rooms:${room}`);
    if (found !== undefined) return found;
    if (!this.#published.makeRoom(owner)) return this.#refuse('share');
    const subject = this.#options.create('rooms', room);
    if (subject === undefined) return this.#refuse('full');
    this.#published.add(subject, owner);
    return subject;
  }

  /** @see ClientSubjects.claim */
  claim(subject: Subject, lane: number, worker: number, owner: number): void {
    if (subject.isClientMade) this.#followed.claim(subject, lane, worker, owner);
  }

  /** @see ClientSubjects.unclaim */
  unclaim(subject: Subject, lane: number, worker: number): void {
    if (subject.isClientMade) this.#followed.unclaim(subject, lane, worker);
  }

  /** @see ClientSubjects.forgetWorker */
  forgetWorker(worker: number): void {
    this.#followed.forgetWorker(worker);
  }

  /** The feed has it too, or it is forgotten. */
  release(subject: Subject): void {
    this.#followed.remove(subject);
    this.#published.remove(subject);
  }

  #mayExist(kind: SourceKind, symbol: string): boolean {
    return isOnDemand(kind) || kind === 'analytics' ? isName(kind, symbol) : this.#options.knowsSymbol(symbol);
  }

  #refuse(refusal: Refusal): Refusal {
    this.counters.refused++;
    if (refusal === 'share') this.counters.shares++;
    return refusal;
  }
}
