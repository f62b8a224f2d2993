/**
 * Environment variables → one frozen, validated configuration. An invalid value stops the start with a message that
 * names the variable, what it held and what would be right. Names and defaults: README.md, section Configuration; the
 * variables themselves: `variables/`.
 */
import { availableParallelism } from 'node:os';
import { ConfigError } from './config-error.js';
import { withoutSecrets } from './url-text.js';
import {
  type AuthConfig,
  allowsAnonymous,
  authConfig,
  authProblems,
  authVariables,
  type RevocationsConfig,
  revocationsConfig,
} from './variables/auth.js';
import { type ClientsConfig, clientProblems, clientsConfig, clientVariables } from './variables/clients.js';
import { type FeedConfig, feedConfig, feedProblems, feedVariables } from './variables/feed.js';
import { processConfig, processProblems, processVariables } from './variables/process.js';

export type { NatsConfig, ReplayConfig, SimulatorConfig } from './sources.js';
export type { AuthConfig } from './variables/auth.js';

export interface Config extends Readonly<ReturnType<typeof processConfig>>, FeedConfig, ClientsConfig {
  readonly auth: AuthConfig;
  /** Whether a connection may come without a credential. */
  readonly anonymous: boolean;
  readonly revocations: RevocationsConfig;
  readonly allowedOrigins: readonly string[];
}

const variables = processVariables
  .extend(feedVariables.shape)
  .extend(authVariables.shape)
  .extend(clientVariables.shape);

const SECRET_NAMES = new Set(['AUTH_JWT_SECRET', 'NATS_PASSWORD', 'NATS_TOKEN', 'ADMIN_TOKEN']);

/** Addresses may hold a password. */
const shownValue = (name: string, value: string) => (name.endsWith('_URL') ? withoutSecrets(value) : value);

/**
 * Reads the configuration from `env` (an empty value counts as unset).
 * @param cores what `WORKERS=auto` and `ENCODERS=auto` share.
 * @throws {ConfigError} naming every variable that cannot be used.
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  cores: number = availableParallelism(),
): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = variables.safeParse(given);
  if (!parsed.success) {
    const lines = parsed.error.issues.map(issue => {
      const name = String(issue.path[0]);
      const shown = SECRET_NAMES.has(name) ? '(hidden)' : JSON.stringify(shownValue(name, given[name] ?? ''));
      return `${name}=${shown}: ${issue.message}`;
    });
    throw new ConfigError(lines.join('\n'));
  }
  const v = parsed.data;
  const feed = feedConfig(v);
  const wrong = [...processProblems(v), ...feedProblems(v), ...authProblems(v, feed.feed), ...clientProblems(v)];
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'));
  return Object.freeze({
    ...processConfig(v, cores),
    ...feed,
    ...clientsConfig(v),
    auth: authConfig(v),
    anonymous: allowsAnonymous(v),
    revocations: revocationsConfig(v),
    allowedOrigins: v.ALLOWED_ORIGINS,
  });
}
