/** A session as the gateway makes it, for tests that admit nobody. */
import { type Credential, compileEntitlements, NO_POLICY } from '../../src/auth/credential.js';
import { MessageRate } from '../../src/gateway/limits/message-rate.js';
import { PublishedBytes } from '../../src/gateway/limits/published-bytes.js';
import { createSharedRates } from '../../src/gateway/limits/shared-rates.js';
import { Session } from '../../src/gateway/model/session.js';
import { STREAMS } from '../../src/protocol/topics.js';
import type { Format, Tier } from '../../src/protocol/view-options.js';
import { newAccount } from './work-budgets.js';

export interface NewSession {
  readonly id: number;
  /** The user; '' for none. */
  readonly sub: string;
  readonly format: Format;
  readonly tier: Tier;
  readonly isStamped?: boolean;
  readonly entitlements?: readonly string[];
  /** What it counts as among those who share topics; 0 where it is left out. */
  readonly owner?: number;
}

const EVERYTHING = STREAMS.map(stream => `${stream}:*`);

/** For tests in which users publish as much as they like. */
export function unlimitedPublished(): PublishedBytes {
  return new PublishedBytes(createSharedRates(1, [1, 2], 64), 0, 2 ** 30);
}

export function newCredential({
  sub,
  tier,
  entitlements,
}: Pick<NewSession, 'sub' | 'tier' | 'entitlements'>): Credential {
  return {
    sub,
    tier,
    roles: [],
    entitlements,
    expiresAtMs: Number.POSITIVE_INFINITY,
    issuedAtMs: undefined,
    jti: undefined,
    apiKeyId: undefined,
  };
}

export function newSession(options: NewSession): Session {
  const { id, format, isStamped = false } = options;
  const credential = newCredential(options);
  return new Session({
    id,
    address: '127.0.0.1',
    endpoint: 'general',
    owner: options.owner ?? 0,
    credential,
    entitlements: compileEntitlements(credential, NO_POLICY, EVERYTHING),
    askedClass: undefined,
    format,
    isStamped,
    keepalive: {
      lastSeenMs: 0,
      lastPingMs: 0,
      pingedAtMs: 0,
      closingAtMs: 0,
      expiresAtMs: Number.POSITIVE_INFINITY,
      warnAtMs: Number.POSITIVE_INFINITY,
    },
    messageTokens: new MessageRate(1000).fill(0),
    controlTokens: new MessageRate(1000).fill(0),
    account: newAccount(),
  });
}
