/**
 * The sources that clients ask for: those that exist already, and those that are created for clients, within their
 * shares.
 */
import { isName, isOnDemand, type SourceKind, subjectOf } from '../protocol/topics.js';
import { PublishedRooms } from './events/published-rooms.js';
import { ClientSources, type Refusal } from './sources/client-sources.js';
import { partsOf, type Source } from './sources/source-table.js';

export interface ClientTopicsOptions {
  /** Maximum sources without data that clients follow, in total and per owner. */
  readonly max: number;
  readonly perOwnerMax: number;
  readonly find: (subject: string) => Source | undefined;
  /** Undefined when the source table is full. */
  readonly create: (kind: SourceKind, symbol: string) => Source | undefined;
  readonly knowsSymbol: (symbol: string) => boolean;
  /** Forgets an unwanted source at once. */
  readonly endNow: (source: Source) => void;
}

/** Why there is no source: the name is not valid, the owner's share is used up, or there are too many in total. */
export type NoSource = 'unknown' | Refusal;

export class ClientTopics {
  /** Requests beyond a limit; `shares`: those beyond the limit of one owner. */
  readonly counters = { refused: 0, shares: 0 };
  readonly #options: ClientTopicsOptions;
  readonly #followed: ClientSources;
  readonly #published: PublishedRooms;

  constructor(options: ClientTopicsOptions) {
    this.#options = options;
    this.#followed = new ClientSources(options.max, options.perOwnerMax);
    this.#published = new PublishedRooms(options.endNow);
  }

  /** The source named `<kind>:<symbol>`, if it exists. */
  find(name: string): Source | undefined {
    return this.#options.find(subjectOf(...partsOf(name)));
  }

  /** The source to follow on this owner's behalf; created if it is new. */
  follow(name: string, owner: number): Source | NoSource {
    const [kind, symbol] = partsOf(name);
    const found = this.find(name);
    if (found !== undefined && !this.#published.has(found)) return found;
    if (found === undefined && !this.#mayExist(kind, symbol)) return 'unknown';
    const isCounted = this.#followed.counts(kind);
    const refusal = isCounted ? this.#followed.refusalOf(owner) : undefined;
    if (refusal !== undefined) return this.#refuse(refusal);
    const source = found ?? this.#options.create(kind, symbol);
    if (source === undefined) return this.#refuse('full');
    this.#published.remove(source);
    if (isCounted) this.#followed.add(source, owner);
    return source;
  }

  /** The room to publish into on this owner's behalf; followed until that is done, unless it is followed anyway. */
  publishInto(room: string, owner: number): Source | Refusal {
    const found = this.find(`rooms:${room}`);
    if (found !== undefined) return found;
    if (!this.#published.makeRoom(owner)) return this.#refuse('share');
    const source = this.#options.create('rooms', room);
    if (source === undefined) return this.#refuse('full');
    this.#published.add(source, owner);
    return source;
  }

  /** @see ClientSources.claim */
  claim(source: Source, lane: number, worker: number, owner: number): void {
    if (source.isClientMade) this.#followed.claim(source, lane, worker, owner);
  }

  /** @see ClientSources.unclaim */
  unclaim(source: Source, lane: number, worker: number): void {
    if (source.isClientMade) this.#followed.unclaim(source, lane, worker);
  }

  /** @see ClientSources.forgetWorker */
  forgetWorker(worker: number): void {
    this.#followed.forgetWorker(worker);
  }

  /** The feed has it too, or it is forgotten. */
  release(source: Source): void {
    this.#followed.remove(source);
    this.#published.remove(source);
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
