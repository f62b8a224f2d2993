/** What roles mean: topics that require them, on top of a credential's entitlements, and entitlements that they add. */
import { ConfigError } from '../config/config-error.js';
import { isEntitlement } from '../protocol/entitlement.js';
import { topicParts } from '../protocol/topic-parts.js';
import {
  ALL_SYMBOLS,
  CHANNELS,
  isMarketData,
  isStream,
  STREAMS,
  type Stream,
  symbolMatcher,
} from '../protocol/topics.js';
import { FULL_TRADES, NO_POLICY, type TopicPolicy } from './credential.js';
import { readJsonFile } from './json-file.js';

/** Few, because every subscribe checks them all. */
export const POLICY_ENTRIES_MAX = 256;

interface Demand {
  readonly topic: string;
  readonly matches: (name: string) => boolean;
  /** One of these is required. */
  readonly roles: ReadonlySet<string>;
}

const NO_DEMANDS: readonly Demand[] = [];

/**
 * Reads `{"roles":{"analytics:exposure-updates":["risk","admin"]},"entitlements":{"risk":["analytics:*"]}}`, either
 * member or both.
 * @param path undefined: everything is allowed, and roles add nothing.
 * @throws {ConfigError} naming POLICY_FILE and the invalid entry.
 */
export async function openPolicy(path: string | undefined): Promise<TopicPolicy> {
  if (path === undefined) return NO_POLICY;
  const shown = `POLICY_FILE=${JSON.stringify(path)}`;
  const { roles: required = {}, entitlements = {} } = membersOf(shown, await readJsonFile(shown, path));
  const demands = demandsOf(shown, required);
  const added = grantsOf(shown, entitlements);
  const ofMarketData = [...demands].flatMap(([stream, of]) => (isMarketData(stream) ? of : []));
  const unmet = (roles: readonly string[], stream: Stream, name: string): Demand | undefined =>
    (demands.get(stream) ?? NO_DEMANDS).find(demand => {
      const isConcerned = name === ALL_SYMBOLS || demand.matches(name);
      return isConcerned && !isMet(demand, roles);
    });
  return {
    grants: roles => roles.flatMap(role => added.get(role) ?? []),
    allows: (roles, stream, name) => unmet(roles, stream, name) === undefined,
    requires: (roles, stream, name) => [...(unmet(roles, stream, name)?.roles ?? [])],
    reserves: roles => ofMarketData.filter(demand => !isMet(demand, roles)).map(({ topic }) => topic),
  };
}

const isMet = (demand: Demand, roles: readonly string[]): boolean => roles.some(role => demand.roles.has(role));

type Members = Readonly<Record<'roles' | 'entitlements', Readonly<Record<string, unknown>>>>;

function membersOf(shown: string, file: unknown): Partial<Members> {
  const members = isObject(file) ? file : {};
  const names = Object.keys(members);
  const unknown = names.find(name => name !== 'roles' && name !== 'entitlements');
  if (unknown !== undefined && names.length > 1) {
    throw new ConfigError(`${shown}: ${JSON.stringify(unknown)} is unknown; use "roles" and "entitlements"`);
  }
  if (names.length === 0 || unknown !== undefined || !Object.values(members).every(isObject)) {
    const rule = '{"roles":{"stream:pattern":["role",…],…}}, {"entitlements":{"role":["stream:pattern",…],…}} or both';
    throw new ConfigError(`${shown}: must hold ${rule}`);
  }
  return members as Partial<Members>;
}

function entriesOf(shown: string, member: Readonly<Record<string, unknown>>): readonly [string, unknown][] {
  const entries = Object.entries(member);
  if (entries.length <= POLICY_ENTRIES_MAX) return entries;
  throw new ConfigError(`${shown}: has ${entries.length} entries; at most ${POLICY_ENTRIES_MAX} are allowed`);
}

function grantsOf(shown: string, member: Readonly<Record<string, unknown>>): ReadonlyMap<string, readonly string[]> {
  const grants = new Map<string, readonly string[]>();
  for (const [role, texts] of entriesOf(shown, member)) {
    const isList = Array.isArray(texts) && texts.length > 0 && texts.length <= POLICY_ENTRIES_MAX;
    if (!isList || !texts.every(isEntitlement)) {
      const place = `entitlements[${JSON.stringify(role)}]`;
      throw new ConfigError(`${shown}: ${place}: must be a list of stream:pattern, such as analytics:*, at least one`);
    }
    grants.set(role, texts);
  }
  return grants;
}

function demandsOf(shown: string, member: Readonly<Record<string, unknown>>): ReadonlyMap<Stream, readonly Demand[]> {
  const demands = new Map<Stream, Demand[]>();
  for (const [topic, roles] of entriesOf(shown, member)) {
    const problem = topicProblem(topic) ?? rolesProblem(roles);
    if (problem !== undefined) throw new ConfigError(`${shown}: roles[${JSON.stringify(topic)}]: ${problem}`);
    const [stream, pattern] = topicParts(topic);
    const demand = { topic, matches: symbolMatcher([pattern]), roles: new Set(roles as readonly string[]) };
    demands.set(stream as Stream, [...(demands.get(stream as Stream) ?? []), demand]);
  }
  return demands;
}

/** A rule that no topic can match protects nothing, and most likely is a misspelling. */
function topicProblem(topic: string): string | undefined {
  const [stream, pattern] = topicParts(topic);
  if (!isStream(stream)) return `must begin with a stream: ${STREAMS.join(', ')}`;
  if (!isEntitlement(topic)) return 'must be stream:pattern, such as rooms:ops-*';
  if (topic === FULL_TRADES) return 'is not a topic; entitlements decide who sees the parties of trades';
  if (stream !== 'analytics' || Object.keys(CHANNELS).some(symbolMatcher([pattern]))) return undefined;
  return `matches no channel; the channels are ${Object.keys(CHANNELS).join(', ')}`;
}

function rolesProblem(roles: unknown): string | undefined {
  if (Array.isArray(roles) && roles.length > 0 && roles.every(role => typeof role === 'string' && role !== '')) {
    return undefined;
  }
  return 'must be a list of roles, at least one; a user needs one of them';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
