/**
 * Environment variables → one frozen, validated configuration. An invalid value stops the start with a message that
 * names the variable, its value and what would be right. The variables are declared in `variables/`;
 * ops/configuration.md lists them.
 */
import { availableParallelism } from 'node:os';
import { ConfigError } from './config-error.js';
import { type Environment, givenText } from './given-text.js';
import { hasSeveralWords, likelyMeant } from './misspelt.js';
import { readSetting } from './setting.js';
import { settingsFiles } from './settings-files.js';
import { SETTINGS } from './settings-table.js';
import {
  type AuthConfig,
  type AuthVariables,
  allowsAnonymous,
  authConfig,
  authProblems,
  makesOwnKey,
  type RevocationsConfig,
  revocationsConfig,
} from './variables/auth.js';
import { type ClientsConfig, type ClientVariables, clientProblems, clientsConfig } from './variables/clients.js';
import { type FeedConfig, type FeedVariables, feedConfig, feedProblems } from './variables/feed.js';
import { type FixConfig, type FixVariables, fixConfig, fixProblems } from './variables/fix.js';
import {
  type ClockConfig,
  clockConfig,
  type JournalConfig,
  type JournalVariables,
  journalConfig,
  journalProblems,
} from './variables/journal.js';
import { ANY_ADDRESS, type ProcessVariables, processConfig, processProblems } from './variables/process.js';
import { type ProductsConfig, type ProductVariables, productProblems, productsConfig } from './variables/products.js';
import {
  type SurveillanceConfig,
  type SurveillanceVariables,
  surveillanceConfig,
  surveillanceProblems,
} from './variables/surveillance.js';
import { type TracingConfig, type TracingVariables, tracingConfig } from './variables/tracing.js';

export { type Environment, givenText } from './given-text.js';
export type { NatsConfig, ReplayConfig, SimulatorConfig } from './sources.js';
export type { AuthConfig } from './variables/auth.js';
export type { FixConfig } from './variables/fix.js';
export type { ClockConfig, JournalConfig } from './variables/journal.js';

export interface Config extends Readonly<ReturnType<typeof processConfig>>, FeedConfig, ClientsConfig {
  /** Address that clients connect to. */
  readonly host: string;
  readonly auth: AuthConfig;
  /** Whether the gateway makes a key for the run, because no `AUTH_…` source is set. */
  readonly hasOwnKey: boolean;
  /** Whether clients may connect without a credential. */
  readonly anonymous: boolean;
  readonly revocations: RevocationsConfig;
  /** Undefined: there is no FIX. */
  readonly fix: FixConfig | undefined;
  /** How log lines name users; `journal`: by the journal's pseudonyms, which the log's own output puts in. */
  readonly logUsers: 'pseudonym' | 'name' | 'journal';
  /** Undefined: there is no journal. */
  readonly journal: JournalConfig | undefined;
  readonly clock: ClockConfig;
  readonly products: ProductsConfig;
  /** Undefined: there is no surveillance. */
  readonly surveillance: SurveillanceConfig | undefined;
  /** Undefined: nothing is traced. */
  readonly tracing: TracingConfig | undefined;
  /** Files that settings are read from, by variable: others must not be able to read them. */
  readonly settingsFiles: Readonly<Record<string, string>>;
}

/** Where a gateway listens that lets in everybody who sees its output. */
const LOOPBACK = '127.0.0.1';

type Variables = ProcessVariables &
  FeedVariables &
  AuthVariables &
  ClientVariables &
  FixVariables &
  JournalVariables &
  ProductVariables &
  SurveillanceVariables &
  TracingVariables;

/**
 * Reads the configuration from `env` (an empty value counts as unset).
 * @param cores the cores that `WORKERS=auto` and `ENCODERS=auto` share.
 * @throws {ConfigError} naming every invalid variable, one per line.
 */
export function readConfig(env: Environment, cores: number = availableParallelism()): Config {
  const values: Record<string, unknown> = {};
  const unreadable: string[] = [];
  for (const [name, setting] of SETTINGS) {
    const read = readSetting(name, setting, givenText(env, name));
    if (read.ok) values[name] = read.value;
    else unreadable.push(read.problem);
  }
  unreadable.push(...misspeltNames(env));
  if (unreadable.length > 0) throw new ConfigError(unreadable.join('\n'));
  // Each value has the type of its setting, and no setting of the table is missing.
  const v = values as Variables;
  const files = settingsFiles(env);
  const feed = feedConfig(v, files);
  const isGiven = (name: string) => givenText(env, name) !== undefined;
  const auth = authConfig(v);
  const isDemo = feed.feed === 'simulator' && makesOwnKey(auth);
  const wrong = [
    ...processProblems(v),
    ...feedProblems(v),
    ...authProblems(v, feed.feed),
    ...clientProblems(v, isGiven),
    ...fixProblems(v, isGiven),
    ...journalProblems(v, isGiven),
    ...productProblems(v),
    ...surveillanceProblems(v, isDemo, isGiven),
  ];
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'));
  return Object.freeze({
    ...processConfig(v, cores),
    host: v.HOST ?? (makesOwnKey(auth) ? LOOPBACK : ANY_ADDRESS),
    ...feed,
    simulator: { ...feed.simulator, hasOrders: v.SIM_ORDERS ?? isDemo },
    ...clientsConfig(v),
    auth,
    hasOwnKey: makesOwnKey(auth),
    anonymous: allowsAnonymous(v),
    revocations: revocationsConfig(v),
    fix: fixConfig(v),
    logUsers: v.JOURNAL_DIR === undefined ? v.LOG_USERS : 'journal',
    journal: journalConfig(v),
    clock: clockConfig(v),
    products: productsConfig(v),
    surveillance: surveillanceConfig(v, isDemo),
    tracing: tracingConfig(v, v.NODE_NAME),
    settingsFiles: files,
  });
}

/** How lines name users after a reload: a journal, or none, needs a restart. */
export function logUsersAfter(inForce: Config, fresh: Config): Config['logUsers'] {
  const isSame = (inForce.journal === undefined) === (fresh.journal === undefined);
  return isSame ? fresh.logUsers : inForce.logUsers;
}

/**
 * A misspelt setting has no effect, and the gateway would run without what the operator relies on: for example, with a
 * key of its own.
 */
function misspeltNames(env: Environment): string[] {
  return Object.keys(env).flatMap(name => {
    if (SETTINGS.has(name) || !hasSeveralWords(name) || givenText(env, name) === undefined) return [];
    const meant = likelyMeant(name, SETTINGS.keys());
    return meant === undefined ? [] : [`${name}: is not a setting; did you mean ${meant}?`];
  });
}
