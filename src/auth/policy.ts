/** Roles that the operator requires for topics, on top of a credential's entitlements. */
import { ConfigError } from '../config/config-error.js';
import { isEntitlement } from '../protocol/entitlement.js';
import { topicParts } from '../protocol/topic-parts.js';
import { ALL_SYMBOLS, CHANNELS, isStream, STREAMS, type Stream, symbolMatcher } from '../protocol/topics.js';
import { FULL_TRADES, type TopicPolicy } from './credential.js';
import { readJsonFile } from './json-file.js';

/** Few, because every subscribe checks them all. */
export const POLICY_ENTRIES_MAX = 256;

interface Demand {
  readonly matches: (name: string) => boolean;
  /** One of these is required. */
  readonly roles: ReadonlySet<string>;
}

const NO_DEMANDS: readonly Demand[] = [];

/**
 * Reads `{"roles":{"analytics:exposure-updates":["risk","admin"],"rooms:ops-*":["ops"]}}`.
 * @param path undefined: everything is allowed.
 * @throws {ConfigError} naming POLICY_FILE and the invalid entry.
 */
export async function openPolicy(path: string | undefined): Promise<TopicPolicy> {
  if (path === undefined) return { allows: () => true };
  const shown = `POLICY_FILE=${JSON.stringify(path)}`;
  const demands = demandsOf(shown, await readJsonFile(shown, path));
  return {
    allows(roles, stream, name) {
      for (const demand of demands.get(stream) ?? NO_DEMANDS) {
        const isConcerned = name === ALL_SYMBOLS || demand.matches(name);
        if (isConcerned && !roles.some(role => demand.roles.has(role))) return false;
      }
      return true;
    },
  };
}

function demandsOf(shown: string, file: unknown): ReadonlyMap<Stream, readonly Demand[]> {
  if (!isObject(file) || !isObject(file.roles)) {
    throw new ConfigError(`${shown}: must hold {"roles":{"stream:pattern":["role",…],…}}`);
  }
  const others = Object.keys(file).filter(member => member !== 'roles');
  if (others.length > 0) throw new ConfigError(`${shown}: ${JSON.stringify(others[0])} is unknown; use "roles"`);
  const entries = Object.entries(file.roles);
  if (entries.length > POLICY_ENTRIES_MAX) {
    throw new ConfigError(`${shown}: has ${entries.length} entries; at most ${POLICY_ENTRIES_MAX} are allowed`);
  }
  const demands = new Map<Stream, Demand[]>();
  for (const [topic, roles] of entries) {
    const problem = topicProblem(topic) ?? rolesProblem(roles);
    if (problem !== undefined) throw new ConfigError(`${shown}: roles[${JSON.stringify(topic)}]: ${problem}`);
    const [stream, pattern] = topicParts(topic);
    const demand = { matches: symbolMatcher([pattern]), roles: new Set(roles as readonly string[]) };
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
