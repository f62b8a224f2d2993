/** The query of an upgrade request: one table says which members each endpoint understands, and how they are read. */

export type Endpoint = 'quotes' | 'trades' | 'markets' | 'orders' | 'analytics' | 'general';

interface Member {
  /** The endpoints that understand it; undefined: all. */
  readonly endpoints?: readonly Endpoint[];
  /** May be given several times; each is a list. Otherwise the first counts. */
  readonly isList?: true;
  /** Another name for that member. */
  readonly aliasOf?: string;
  /** The values that it may have; undefined: whatever reads it decides, and refuses the request for others. */
  readonly values?: readonly string[];
}

const MEMBERS = {
  token: {},
  api_key: {},
  format: {},
  class: {},
  timestamps: { values: ['0', '1'] },
  explain: { values: ['0', '1'] },
  symbols: { endpoints: ['quotes', 'trades'], isList: true },
  symbol: { endpoints: ['quotes', 'trades'], isList: true, aliasOf: 'symbols' },
  depth: { endpoints: ['markets'] },
  channels: { endpoints: ['analytics'], isList: true },
  channel: { endpoints: ['analytics'], isList: true, aliasOf: 'channels' },
} as const satisfies Readonly<Record<string, Member>>;

type QueryMember = keyof typeof MEMBERS;

/** How many members that were not understood a warning names, and up to which length. */
const NAMED_MAX = 20;
const NAMED_LENGTH_MAX = 64;

export class Query {
  readonly #values = new Map<string, string[]>();
  readonly #ignored = new Set<string>();

  /** @param text without `?` */
  constructor(endpoint: Endpoint, text: string) {
    for (const [name, value] of new URLSearchParams(text)) {
      const member: Member | undefined = Object.hasOwn(MEMBERS, name) ? MEMBERS[name as QueryMember] : undefined;
      const isKnown = member !== undefined && (member.endpoints?.includes(endpoint) ?? true);
      if (!isKnown || member.values?.includes(value) === false) {
        this.#ignored.add(name);
        continue;
      }
      const key = member.aliasOf ?? name;
      const values = this.#values.get(key);
      if (values === undefined) this.#values.set(key, [value]);
      else if (member.isList === true) values.push(value);
      else if (values[0] !== value) this.#ignored.add(name);
    }
  }

  /** Members that had no effect, in part or at all: unknown here, with an unknown value, or repeated with another. */
  get ignored(): readonly string[] {
    return [...this.#ignored].slice(0, NAMED_MAX).map(name => name.slice(0, NAMED_LENGTH_MAX));
  }

  /** A member's value; undefined if it is missing. */
  get(name: QueryMember): string | undefined {
    return this.#values.get(name)?.[0];
  }

  /** The items of a list, under all of its names; undefined if it is missing. */
  list(name: QueryMember): readonly string[] | undefined {
    const values = this.#values.get(name);
    if (values === undefined) return undefined;
    const items = values.flatMap(value => value.split(',')).map(item => item.trim());
    return [...new Set(items.filter(item => item !== ''))];
  }
}

/** Tells a client which members of its query were ignored; nothing when all were understood. */
export function ignoredWarnings(ignored: readonly string[]): readonly object[] {
  if (ignored.length === 0) return [];
  const message = `not understood, ignored: ${ignored.join(', ')}`;
  return [{ type: 'warning', code: 'unknown_parameter', message, parameters: ignored }];
}
