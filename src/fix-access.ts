/** The FIX thread's credentials and limits: those of the WebSocket threads, with the same tables in shared memory. */

import type { Credential } from './auth/credential.js';
import { livesOf, RevocationList } from './auth/revocations.js';
import type { FixAccess, FixLog, LogonRefusal, RefusedConnection, WorkBudget } from './fix/access.js';
import { FixRecords } from './fix/records.js';
import { SymbolLookup } from './gateway/commands/symbol-lookup.js';
import { ConnectionLimits } from './gateway/limits/connection-limits.js';
import { MessageRate } from './gateway/limits/message-rate.js';
import { Owners } from './gateway/limits/owner.js';
import { spreadRetrySeconds } from './gateway/limits/retry-after.js';
import { sharedNowMs } from './gateway/limits/shared-clock.js';
import { UseCounts } from './gateway/limits/use-counts.js';
import { type Payer, WorkBudgets } from './gateway/limits/work-budgets.js';
import type { ConnectionIds } from './gateway/model/connection-ids.js';
import { type Refusal, refusal } from './gateway/refusal.js';
import type { Access } from './gateway/sessions/access.js';
import { Credentials } from './gateway/sessions/credentials.js';
import type { ClientLog, LoggedClient } from './gateway/supervision/client-log.js';
import type { WorkerThreadData } from './gateway/thread-life.js';
import { CloseCode } from './protocol/close-code.js';
import { CONNECT_UNITS, readUnits } from './protocol/costs.js';
import { monotonicMicros } from './protocol/wall-clock.js';
import type { FixEnd } from './threads/fix-stats.js';
import type { JournalOutlet } from './threads/journal-outlet.js';
import type { FromWorker, RevocationRecord } from './threads/thread-messages.js';

/** Three parts of base64url, as no API key has them. */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const OTHER_USERNAME = 'Username (553) is not the user of the credential';
const NO_CREDENTIAL = 'a credential is required: Username (553), and an API key or a token as Password (554)';

/** The code of a close that a WebSocket would have got. */
const CODES: Readonly<Record<FixEnd, number>> = {
  left: 1000,
  regular: CloseCode.goingAway,
  protocol: 1002,
  slow: CloseCode.slowConsumer,
  expired: CloseCode.tokenExpired,
  revoked: CloseCode.revoked,
  limited: CloseCode.rateLimited,
  broken: 1006,
  refused: CloseCode.unauthorized,
};

export class SharedAccess implements FixAccess {
  readonly symbols: SymbolLookup;
  readonly limits: ConnectionLimits;
  readonly uses: UseCounts;
  readonly credentials: Credentials;
  readonly budgets: WorkBudgets;
  readonly revocations: RevocationList;
  /** True while the gateway has more to do than it can: only institutional clients may log on. */
  isShedding = false;
  readonly #messageRate: MessageRate;
  readonly #owners: Owners;
  readonly #post: (message: FromWorker) => void;

  constructor(data: WorkerThreadData, access: Access, post: (message: FromWorker) => void) {
    const { config } = data;
    this.symbols = new SymbolLookup(config.symbols, post);
    this.limits = new ConnectionLimits(config.limits, data);
    this.uses = new UseCounts(config.products, data, this.limits.refused);
    this.#post = post;
    this.#messageRate = new MessageRate(config.limits.messagesPerSecondMax);
    this.revocations = new RevocationList({ lives: livesOf(config) });
    for (const revocation of data.revocations) this.revocations.take(revocation);
    this.credentials = new Credentials(access.authentication, this.limits, this.revocations);
    this.#owners = new Owners(data.ownerSeed);
    this.budgets = new WorkBudgets({
      unitsPerSecond: config.limits.workUnitsPerSecond,
      debts: data.debts.table,
      seed: data.debts.seed,
      nowMicros: monotonicMicros,
    });
  }

  attempt(address: string): boolean {
    if (this.limits.attempt(address, sharedNowMs()) !== undefined) return false;
    this.budgets.chargeAddress(address, CONNECT_UNITS);
    return true;
  }

  async verify(
    username: string | undefined,
    password: string | undefined,
    address: string,
  ): Promise<Credential | LogonRefusal> {
    if (password === undefined) return unauthorized(NO_CREDENTIAL);
    const isToken = TOKEN.test(password);
    const verified = await this.credentials.of(isToken ? password : undefined, isToken ? undefined : password, address);
    if ('status' in verified) return logonRefusal(verified);
    if (username !== undefined && username !== verified.sub) return unauthorized(OTHER_USERNAME);
    return verified;
  }

  enter(address: string, credential: Credential): LogonRefusal | undefined {
    if (this.isShedding && credential.tier === 'retail') {
      this.limits.refused.overload++;
      return logonRefusal(later(503, 'unavailable', 'the gateway is overloaded'));
    }
    const refused = this.limits.enter(address, credential);
    if (refused !== undefined) return logonRefusal(refused);
    // A FIX session is there for market data.
    const { sub: user } = credential;
    const taken = this.uses.counts(user) ? this.uses.take(user) : 'within';
    if (taken === 'over') this.#post({ type: 'over_user_limit', user, isUse: true });
    if (taken !== 'refused') return undefined;
    this.limits.leave(address, credential);
    return logonRefusal(later(429, 'rate_limited', this.uses.refusal));
  }

  leave(address: string, credential: Credential): void {
    this.limits.leave(address, credential);
    if (this.uses.counts(credential.sub)) this.uses.leave(credential.sub);
  }

  entitlementsOf(credential: Credential) {
    return this.credentials.entitlementsOf(credential);
  }

  current(credential: Credential): Credential | undefined {
    return this.revocations.covers(credential) ? undefined : this.credentials.current(credential);
  }

  change(from: Credential, to: Credential): void {
    this.limits.change(from, to);
  }

  budgetOf(address: string, credential: () => Credential): WorkBudget {
    const { budgets } = this;
    const payer: Payer = {
      account: budgets.open(address),
      get tier() {
        return credential().tier;
      },
      get credential() {
        return credential();
      },
    };
    const bucket = this.#messageRate.fill(performance.now());
    return {
      charge: units => {
        const waitMs = budgets.waitMs(payer);
        if (waitMs === 0) budgets.charge(payer, units);
        return waitMs;
      },
      owe: units => budgets.charge(payer, units),
      read: bytes => {
        const verdict = this.#messageRate.take(bucket, performance.now());
        if (budgets.waitMs(payer) === 0) {
          budgets.charge(payer, readUnits(bytes));
          return true;
        }
        // To the connection alone: its user and address have other connections.
        budgets.chargeConnection(payer, readUnits(bytes));
        return (verdict === 'accepted' ? this.#messageRate.refuse(bucket) : verdict) === 'refused';
      },
    };
  }

  ownerOf(address: string, credential: Credential): number {
    return this.#owners.of(credential.sub, address);
  }

  unknown(symbols: readonly string[]): readonly string[] | Promise<readonly string[]> {
    return this.symbols.unknown(symbols);
  }

  revoke(revocations: readonly RevocationRecord[]): void {
    for (const revocation of revocations) this.revocations.take(revocation);
  }
}

const unauthorized = (text: string): LogonRefusal => ({ status: 401, code: 'unauthorized', text });

function later(status: Refusal['status'], code: Refusal['code'], message: string): Refusal {
  return { ...refusal(status, code, message), retryAfterSeconds: spreadRetrySeconds() };
}

function logonRefusal({ status, code, message, retryAfterSeconds }: Refusal): LogonRefusal {
  const when = retryAfterSeconds === undefined ? '' : `; log on again in ${Math.ceil(retryAfterSeconds)} s`;
  return { status, code, text: `${message}${when}` };
}

/** @param wallMicros time of day, µs since the Unix epoch */
export function recordsOf(
  outlet: JournalOutlet,
  worker: number,
  ids: ConnectionIds,
  wallMicros: () => number,
): FixRecords {
  return new FixRecords({ outlet, worker, wallMicros, connectionOf: id => ids.text(id), codes: CODES });
}

export function fixLogOf(log: ClientLog): FixLog {
  const clientOf = ({ id, address, credential }: RefusedConnection): LoggedClient => {
    return { id, address, user: credential?.sub ?? '', tier: credential?.tier };
  };
  return {
    connected: connection => log.connected(clientOf(connection)),
    refused: (connection, { status, code, text: reason }) =>
      log.refused(clientOf(connection), { status, code, reason }),
    ended: (connection, kind, reason) => {
      const by = kind === 'broken' || kind === 'left' ? 'client' : 'gateway';
      log.ended(clientOf(connection), by, { code: CODES[kind], reason }, connection);
    },
  };
}
