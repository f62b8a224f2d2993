/**
 * Follows the connections of all chains through a month: whose they are, which topics they have, and so which products they use.
 * What crosses the border of a product's month is cut there.
 */
import type { Products } from '../../auth/products.js';
import { printable } from '../../observe/terminal-text.js';
import { topicParts } from '../../protocol/topic-parts.js';
import { isStream } from '../../protocol/topics.js';
import { EntitledProducts, type ProductMonth } from './product-months.js';
import type { Subjects } from './subjects.js';
import { type Account, groupName, groupsOf, type Tally } from './tally.js';
import { OPEN_CONNECTIONS_MAX, OPEN_SUBSCRIPTIONS_MAX, refuseBeyond } from './usage-bounds.js';
import { type ConnectionEvent, isEnd, type UsageEvent } from './usage-events.js';

type Members = Readonly<Record<string, unknown>>;

interface Connection {
  readonly run: number;
  readonly thread: number;
  readonly location: number;
  account: Account;
  /** Places of the products that the credential grants in real time. */
  entitled: readonly number[];
  /** Uses by topic. */
  readonly topics: Map<string, readonly number[]>;
  /** How many topics give each use. */
  readonly uses: Map<number, number>;
  /** How many uses give each group. */
  readonly groups: Map<string, number>;
}

/** A product in real time or delayed, as one number. */
const useOf = (product: number, isDelayed: boolean): number => product * 2 + (isDelayed ? 1 : 0);
const productOf = (use: number): number => use >> 1;
const isDelayedUse = (use: number): boolean => (use & 1) === 1;

/** Something at the border of a product's month or day. */
interface Border {
  readonly micros: number;
  readonly product: number;
  readonly is: 'begin' | 'first_day' | 'end';
}

/** What the report cannot tell, counted. */
interface Doubts {
  /** Subscriptions of connections that the journal does not show from their beginning. */
  withoutConnection: number;
  /** Subscriptions to topics that belong to no product. */
  withoutProduct: number;
  /** Credentials with more entitlements than a record holds. */
  cutEntitlements: number;
}

export class Access {
  readonly doubts: Doubts = { withoutConnection: 0, withoutProduct: 0, cutEntitlements: 0 };
  readonly #products: Products;
  readonly #months: readonly ProductMonth[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #entitled: EntitledProducts;
  readonly #users: Subjects;
  readonly #addresses: Subjects;
  readonly #tally: Tally;
  readonly #connections: Map<string, Connection>[];
  readonly #borders: Border[];
  readonly #isOpen: boolean[];
  #subscriptions = 0;
  /** Events of one moment, not applied yet. */
  #atOnce: UsageEvent[] = [];
  #nowMicros = 0;

  constructor(options: {
    readonly products: Products;
    readonly months: readonly ProductMonth[];
    readonly users: Subjects;
    readonly addresses: Subjects;
    readonly tally: Tally;
    /** How many chains there are. */
    readonly chains: number;
  }) {
    const { products, months, users, addresses, tally, chains } = options;
    this.#products = products;
    this.#months = months;
    this.#places = new Map(products.list.map(({ code }, place) => [code, place]));
    this.#entitled = new EntitledProducts(products.list);
    this.#users = users;
    this.#addresses = addresses;
    this.#tally = tally;
    this.#connections = Array.from({ length: chains }, () => new Map());
    this.#isOpen = months.map(() => false);
    this.#borders = months.flatMap(bordersOf).sort((a, b) => a.micros - b.micros || RANK[a.is] - RANK[b.is]);
  }

  /** @param event not older than those before it; an older one counts as of now, because its true place is lost */
  take(event: UsageEvent): void {
    if (event.micros > this.#nowMicros || event.isMoved) {
      this.#apply();
      this.#nowMicros = Math.max(this.#nowMicros, event.micros);
    }
    this.#atOnce.push(event);
    if (event.isMoved) this.#apply();
  }

  /** Call after the last event: passes the remaining borders. */
  finish(): void {
    this.#apply();
    this.#passBorders(Number.POSITIVE_INFINITY);
  }

  /**
   * Applies the events of one moment. Ends come first, then the border of a day or month, then beginnings; but each connection's own
   * events stay in order.
   */
  #apply(): void {
    const micros = this.#nowMicros;
    this.#passBorders(micros);
    const begun = new Set<string>();
    const later: UsageEvent[] = [];
    for (const event of this.#atOnce) {
      const id = event.kind === 'thread_end' ? '' : `${event.chain} ${event.connection}`;
      const isFirst = event.kind === 'thread_end' ? begun.size === 0 : !begun.has(id);
      if (isEnd(event) && isFirst) this.#applyOne(event, micros);
      else {
        begun.add(id);
        later.push(event);
      }
    }
    this.#atOnce = [];
    this.#passBorders(micros + 1);
    for (const event of later) this.#applyOne(event, micros);
  }

  #applyOne(event: UsageEvent, micros: number): void {
    if (event.kind === 'thread_end') this.#endThread(event.chain, event.run, event.thread, micros);
    else if (event.kind === 'connected') this.#connect(event, micros);
    else this.#change(event, micros);
  }

  #connect({ chain, run, connection, members }: ConnectionEvent, micros: number): void {
    const open = this.#connections[chain];
    const before = open?.get(connection);
    if (before !== undefined) this.#close(chain, connection, before, micros);
    open?.set(connection, {
      run,
      thread: typeof members.w === 'number' ? members.w : -1,
      location: this.#addresses.numberOf(chain, textOf(members.address) ?? ''),
      account: this.#accountOf(chain, members),
      entitled: [],
      topics: new Map(),
      uses: new Map(),
      groups: new Map(),
    });
    const count = this.#connections.reduce((sum, { size }) => sum + size, 0);
    refuseBeyond(count, OPEN_CONNECTIONS_MAX, 'connections open at once');
  }

  #change({ kind, chain, connection: id, members }: ConnectionEvent, micros: number): void {
    const connection = this.#connections[chain]?.get(id);
    if (connection === undefined) {
      if (kind === 'subscribed' && this.#isOpen.includes(true)) this.doubts.withoutConnection++;
      return;
    }
    if (kind === 'authenticated') this.#authenticate(connection, chain, members, micros);
    else if (kind === 'subscribed') this.#subscribe(connection, members, micros);
    else if (kind === 'unsubscribed') this.#unsubscribe(connection, textOf(members.topic) ?? '', micros);
    else this.#close(chain, id, connection, micros);
  }

  #authenticate(connection: Connection, chain: number, members: Members, micros: number): void {
    const account = this.#accountOf(chain, members);
    if (!isSame(account, connection.account)) {
      const uses = [...connection.uses.keys()];
      for (const use of uses) this.#endUse(connection, use, micros);
      connection.account = account;
      for (const use of uses) this.#beginUse(connection, use, micros);
    }
    if (typeof members.more === 'number' || typeof members.reserved_more === 'number') this.doubts.cutEntitlements++;
    const rights = { entitlements: textsOf(members.entitlements), reserved: textsOf(members.reserved) };
    connection.entitled = this.#entitled.of(rights, account);
    for (const product of connection.entitled) this.#entitle(connection, product, micros);
  }

  /** Notes that a credential grants a product now. */
  #entitle({ account }: Connection, product: number, micros: number): void {
    if (this.#isOpen[product] !== true || account.user === undefined) return;
    const row = this.#tally.row(product, false, account);
    row.isEntitled = true;
    const day = this.#months[product]?.firstDay;
    if (day !== undefined && micros >= day.fromMicros && micros < day.toMicros) row.isEntitledOnFirstDay = true;
  }

  #subscribe(connection: Connection, members: Members, micros: number): void {
    const topic = textOf(members.topic) ?? '';
    const [stream, name] = topicParts(topic);
    const products = isStream(stream) ? this.#products.of(stream, name) : [];
    if (products.length === 0 && this.#isOpen.includes(true)) this.doubts.withoutProduct++;
    const isDelayed = members.delay !== undefined;
    const uses = products.map(({ code }) => useOf(this.#places.get(code) ?? 0, isDelayed));
    // The new one first, so that a continuing use has no break.
    for (const use of uses) this.#hold(connection, use, micros);
    this.#unsubscribe(connection, topic, micros);
    connection.topics.set(topic, uses);
    this.#subscriptions++;
    refuseBeyond(this.#subscriptions, OPEN_SUBSCRIPTIONS_MAX, 'subscriptions open at once');
  }

  #unsubscribe(connection: Connection, topic: string, micros: number): void {
    const uses = connection.topics.get(topic);
    if (uses === undefined) return;
    connection.topics.delete(topic);
    this.#subscriptions--;
    for (const use of uses) this.#release(connection, use, micros);
  }

  #close(chain: number, id: string, connection: Connection, micros: number): void {
    for (const use of connection.uses.keys()) this.#endUse(connection, use, micros);
    this.#subscriptions -= connection.topics.size;
    this.#connections[chain]?.delete(id);
  }

  #endThread(chain: number, run: number, thread: number, micros: number): void {
    for (const [id, connection] of this.#connections[chain] ?? []) {
      if (connection.run === run && connection.thread === thread) this.#close(chain, id, connection, micros);
    }
  }

  #hold(connection: Connection, use: number, micros: number): void {
    const topics = connection.uses.get(use) ?? 0;
    connection.uses.set(use, topics + 1);
    if (topics === 0) this.#beginUse(connection, use, micros);
  }

  #release(connection: Connection, use: number, micros: number): void {
    const topics = connection.uses.get(use) ?? 0;
    if (topics > 1) connection.uses.set(use, topics - 1);
    else {
      this.#endUse(connection, use, micros);
      connection.uses.delete(use);
    }
  }

  #beginUse(connection: Connection, use: number, micros: number): void {
    const product = productOf(use);
    const month = this.#months[product];
    if (this.#isOpen[product] !== true || month === undefined) return;
    const { account, groups, location } = connection;
    this.#tally.begin(this.#tally.row(product, isDelayedUse(use), account), location, micros);
    for (const group of groupsOf(month, isDelayedUse(use), account.firm)) {
      const name = groupName(group);
      const uses = groups.get(name) ?? 0;
      groups.set(name, uses + 1);
      if (uses === 0) this.#tally.beginGroup(name);
    }
  }

  #endUse(connection: Connection, use: number, micros: number): void {
    const product = productOf(use);
    const month = this.#months[product];
    if (this.#isOpen[product] !== true || month === undefined) return;
    const { account, groups } = connection;
    this.#tally.end(this.#tally.row(product, isDelayedUse(use), account), micros);
    for (const group of groupsOf(month, isDelayedUse(use), account.firm)) {
      const name = groupName(group);
      const uses = groups.get(name) ?? 0;
      if (uses > 1) groups.set(name, uses - 1);
      else {
        groups.delete(name);
        this.#tally.endGroup(name);
      }
    }
  }

  /** Passes borders before a time. */
  #passBorders(beforeMicros: number): void {
    for (let next = this.#borders[0]; next !== undefined && next.micros < beforeMicros; next = this.#borders[0]) {
      this.#borders.shift();
      this.#pass(next);
    }
  }

  #pass({ is, product, micros }: Border): void {
    if (is === 'begin') this.#isOpen[product] = true;
    for (const open of this.#connections) {
      for (const connection of open.values()) {
        if (is !== 'end' && connection.entitled.includes(product)) this.#entitle(connection, product, micros);
        if (is === 'first_day') continue;
        for (const use of [useOf(product, false), useOf(product, true)]) {
          if (!connection.uses.has(use)) continue;
          if (is === 'begin') this.#beginUse(connection, use, micros);
          else this.#endUse(connection, use, micros);
        }
      }
    }
    if (is === 'end') this.#isOpen[product] = false;
  }

  #accountOf(chain: number, members: Members): Account {
    const user = textOf(members.user);
    return {
      user: user === undefined ? undefined : this.#users.numberOf(chain, user),
      firm: textOf(members.firm),
      professional: typeof members.professional === 'boolean' ? members.professional : undefined,
      use: textOf(members.use),
    };
  }
}

const RANK: Readonly<Record<Border['is'], number>> = { end: 0, begin: 1, first_day: 2 };

function bordersOf({ fromMicros, toMicros, firstDay }: ProductMonth, product: number): Border[] {
  const borders: Border[] = [
    { is: 'begin', micros: fromMicros, product },
    { is: 'end', micros: toMicros, product },
  ];
  return firstDay === undefined ? borders : [...borders, { is: 'first_day', micros: firstDay.fromMicros, product }];
}

const isSame = (a: Account, b: Account): boolean =>
  a.user === b.user && a.firm === b.firm && a.professional === b.professional && a.use === b.use;

/** Texts from tokens go into documents and onto terminals. */
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? printable(value) : undefined;

const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter(text => typeof text === 'string') : [];
