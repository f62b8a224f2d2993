/** Options for a new credential: `millrace token` and `millrace api-key create`. */
import { InvalidArgumentError, Option } from 'commander';
import { FIRM_RULE, isFirm, professionalOf, USES } from '../auth/declared-use.js';
import { parseDurationMs } from '../config/duration.js';
import { isEntitlement } from '../protocol/entitlement.js';
import { isUser, USER_RULE } from '../protocol/user-subject.js';
import { TIERS } from '../protocol/view-options.js';

/** Longest life of a credential, 100 years: its expiry is still a date that every client can read. */
const TTL_MS_MAX = 36_500 * 86_400_000;

export function subOption(): Option {
  return new Option('--sub <user>', 'user it is for').argParser(subject).makeOptionMandatory();
}

export function tierOption(): Option {
  return new Option('--tier <tier>', 'tier of the user').choices(TIERS).default('retail');
}

export function roleOption(): Option {
  return new Option('--role <role>', 'a role; repeat for several').argParser(role).default([], 'none');
}

export function entitlementOption(): Option {
  return new Option(
    '--entitlement <stream:pattern>',
    'may subscribe to this; repeat for several (default: what AUTH_DEFAULT_ENTITLEMENTS says)',
  ).argParser(entitlement);
}

export function firmOption(): Option {
  return new Option('--firm <firm>', 'firm of the user, for usage reports').argParser(firm);
}

export function professionalOption(): Option {
  return new Option(
    '--professional <true|false>',
    'whether the user is a professional, for products and reports',
  ).argParser(professional);
}

export function useOption(): Option {
  return new Option('--use <use>', 'what the data is used for, for products and reports').choices(USES);
}

/** Parses the argument of `--ttl`. */
export function ttlMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms <= TTL_MS_MAX) return ms;
  throw new InvalidArgumentError('It must be a duration such as 90s, 30m, 1h or 7d, and at most 36500d');
}

function subject(text: string): string {
  if (isUser(text)) return text;
  throw new InvalidArgumentError(`It ${USER_RULE}`);
}

function firm(text: string): string {
  if (isFirm(text)) return text;
  throw new InvalidArgumentError(`It ${FIRM_RULE}`);
}

function professional(text: string): boolean {
  const value = professionalOf(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError('It must be true or false');
}

function role(text: string, before: readonly string[]): readonly string[] {
  if (text !== '') return [...before, text];
  throw new InvalidArgumentError('It must not be empty');
}

function entitlement(text: string, before: readonly string[] = []): readonly string[] {
  if (isEntitlement(text)) return [...before, text];
  throw new InvalidArgumentError(
    'It must be stream:pattern, such as quotes:AAPL, depth:BTC/* or trades:full, or delayed:pattern of product codes',
  );
}
