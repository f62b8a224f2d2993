/** Listens for FIX clients, and keeps their connections: who may log on, once per identity, and until when. */
import type { Socket } from 'node:net';
import type { Credential } from '../auth/credential.js';
import type { Config, FixConfig } from '../config/environment.js';
import type { FixEnd } from '../threads/fix-stats.js';
import type { JournalOutlet } from '../threads/journal-outlet.js';
import type { FixAccess, FixLog, LogonRefusal } from './access.js';
import type { FixCommandCounts } from './command-counts.js';
import { FixConnection } from './connection.js';
import { EndedCounters } from './ended-counters.js';
import { FixListener } from './listener.js';
import type { FixViews } from './market/views.js';
import type { NumberRequests } from './number-requests.js';
import type { FixRecords } from './records.js';
import {
  FULL,
  MALFORMED,
  OTHER_USER,
  REVOKED,
  TAKEN,
  TOO_MANY,
  TOO_OFTEN,
  UNAVAILABLE,
  UNRECORDED,
} from './refusals.js';
import type { LogonRequest } from './session/logon.js';
import { nextReset } from './store/daily-reset.js';
import { MessageWriter } from './wire/writer.js';

/** How often timers of all sessions are checked, and how often their numbers are saved. */
export const TICK_MS = 100;
export const SAVE_MS = 1_000;
/** As long as a Logon may take. */
const HANDSHAKE_MS_MAX = 10_000;

interface ServerParts {
  readonly config: Config;
  readonly fix: FixConfig;
  readonly access: FixAccess;
  readonly log: FixLog;
  /** Undefined: nothing is recorded. */
  readonly records: FixRecords | undefined;
  /** Undefined: there is no surveillance. */
  readonly counts: FixCommandCounts | undefined;
  readonly views: FixViews;
  /** Undefined: there is no journal. */
  readonly journal: Pick<JournalOutlet, 'isRefusing'> | undefined;
  readonly numbers: NumberRequests;
  readonly nextId: () => number;
  /** A client's address, from the socket's. */
  readonly addressOf: (remoteAddress: string) => string;
  readonly nowMs: () => number;
  /** µs since the Unix epoch. */
  readonly wallMicros: () => number;
  /** Reads and checks a new certificate. @throws {Error} if it is unusable */
  readonly checkTls: (files: NonNullable<FixConfig['tls']>) => Promise<unknown>;
  readonly onFault: (what: string, cause: unknown) => void;
}

export class FixServer {
  /** Of connections that have ended. */
  readonly ended = new EndedCounters();
  readonly connections = new Set<FixConnection>();
  readonly #parts: ServerParts;
  /** Sessions by the identity that may exist once: user and SenderCompID. */
  readonly #identities = new Set<string>();
  /** What was sent to these waits for `flush`; and the same set of the turn before, empty. */
  #unflushed = new Set<FixConnection>();
  #flushed = new Set<FixConnection>();
  readonly #writer = new MessageWriter();
  readonly #listener: FixListener;
  #resetAtMs: number;
  /** Why no client may log on; undefined: clients may. */
  #closedFor: LogonRefusal | undefined;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#listener = new FixListener({
      host: parts.config.host,
      tls: parts.fix.tls,
      checkTls: parts.checkTls,
      handshakeMsMax: HANDSHAKE_MS_MAX,
      mayConnect: (socket, handshakes) => this.#mayConnect(socket, handshakes),
      onConnected: socket => this.#connected(socket),
      onFault: parts.onFault,
    });
    this.#resetAtMs = nextReset(parts.wallMicros() / 1000, parts.fix.resetTimeMs);
  }

  get isListening(): boolean {
    return this.#listener.isListening;
  }

  /** @returns the port; undefined when it is unavailable */
  listen(port: number): Promise<number | undefined> {
    return this.#listener.listen(port);
  }

  /** Reads the certificate again. @returns why it is unusable; undefined: it is in use, or there is none */
  renewCertificate(): Promise<string | undefined> {
    return this.#listener.renewCertificate();
  }

  /** Frees the port; connections stay. */
  stopListening(): void {
    this.#listener.stop();
  }

  /** Refuses new logons from now on. */
  refuseLogons(text: string): void {
    this.#closedFor = { ...UNAVAILABLE, text };
  }

  /** Writes what all connections were sent in this turn, institutional ones first. */
  flush(): void {
    const due = this.#unflushed;
    if (due.size === 0) return;
    // A client that has drained is sent something on the way: it comes in the next turn.
    this.#unflushed = this.#flushed;
    this.#flushed = due;
    for (const connection of due) if (connection.market?.tier === 'institutional') connection.flush();
    for (const connection of due) connection.flush();
    due.clear();
  }

  /** Call every `TICK_MS`. */
  tick(): void {
    const wallMs = this.#parts.wallMicros() / 1000;
    if (wallMs >= this.#resetAtMs) this.#reset(wallMs);
    let buffered = 0;
    for (const connection of this.connections) {
      connection.tick();
      buffered += connection.buffered;
      const expiresAtMs = connection.credential?.expiresAtMs ?? Number.POSITIVE_INFINITY;
      const toleranceMs = this.#parts.config.auth.clockToleranceMs;
      if (wallMs > expiresAtMs + toleranceMs) connection.end('expired', 'credential expired; log on with another one');
    }
    if (buffered > this.#parts.config.limits.bufferedBytesMax) this.#shed();
    this.flush();
  }

  /** Call every `SAVE_MS`. */
  save(): void {
    this.#save([...this.connections]);
  }

  /** Another gateway has taken this session. */
  lost(key: string): void {
    for (const connection of this.connections) {
      if (connection.key === key)
        connection.end(
          'regular',
          'this session continues at another gateway; log on here once it has ended there',
          true,
        );
    }
  }

  /**
   * Ends sessions whose credentials are not good any more, and applies what the others may have now.
   * @param removedKeys API keys that are gone or have another secret
   */
  recheck(removedKeys: readonly string[] = []): void {
    const removed = new Set(removedKeys);
    for (const connection of this.connections) {
      const { credential } = connection;
      if (credential === undefined) continue;
      const isRemoved = credential.apiKeyId !== undefined && removed.has(credential.apiKeyId);
      const current = isRemoved ? undefined : this.#parts.access.current(credential);
      if (current === undefined) connection.end('revoked', REVOKED, true);
      else if (current.sub !== credential.sub) connection.end('revoked', OTHER_USER, true);
      else {
        this.#parts.access.change(credential, current);
        connection.renew(current);
      }
    }
    this.flush();
  }

  /** Something that concerns all clients. */
  news(headline: string, text: string): void {
    for (const { market } of this.connections) market?.news([], headline, text);
    this.flush();
  }

  /** Clients that are not logged on are limited, all of them and by address. */
  #mayConnect({ remoteAddress = '' }: Socket, handshakes: number): boolean {
    const { access, addressOf, config, log, nextId, records } = this.#parts;
    const address = addressOf(remoteAddress);
    const pending = this.connections.size - this.#identities.size + handshakes;
    const isTooOften = !access.attempt(address);
    if (!isTooOften && pending < config.limits.pendingMax) return true;
    const client = { id: nextId(), address, credential: undefined };
    const refusal = isTooOften ? TOO_OFTEN : TOO_MANY;
    records?.refused(client, refusal);
    log.refused(client, refusal);
    return false;
  }

  #connected(socket: Socket): void {
    const { addressOf, nextId, fix, records } = this.#parts;
    const address = addressOf(socket.remoteAddress ?? '');
    this.ended.opened++;
    const connection = new FixConnection(nextId(), address, socket, {
      ...this.#parts,
      settings: { ...fix, asksForProof: records !== undefined },
      writer: this.#writer,
      onLogon: (from, request) => void this.#logon(from, request),
      onStartedOver: from => this.#save([from]),
      onUnflushed: from => this.#unflushed.add(from),
      onEnded: (from, kind, reason) => this.#ended(from, kind, reason),
    });
    this.connections.add(connection);
  }

  async #logon(connection: FixConnection, request: LogonRequest): Promise<void> {
    const { access, onFault } = this.#parts;
    try {
      const closedFor = this.#parts.journal?.isRefusing === true ? UNRECORDED : this.#closedFor;
      if (closedFor !== undefined) {
        connection.refuse(closedFor);
        return;
      }
      const { username, password } = request;
      const verified = await access.verify(username, password, connection.address);
      if ('status' in verified) connection.refuse(verified);
      else if (this.connections.has(connection)) await this.#admit(connection, request, verified);
    } catch (cause) {
      onFault('FIX logon', cause);
      connection.refuse({ status: 503, code: 'internal', text: 'internal error; log on again later' });
    } finally {
      this.flush();
    }
  }

  async #admit(connection: FixConnection, { senderCompId }: LogonRequest, credential: Credential): Promise<void> {
    const { access, numbers, log, records } = this.#parts;
    const identity = `${senderCompId}\n${credential.sub}`;
    if (this.#identities.has(identity)) {
      connection.refuse(TAKEN, true);
      return;
    }
    const full = access.enter(connection.address, credential);
    if (full !== undefined) {
      connection.refuse(full);
      return;
    }
    this.#identities.add(identity);
    connection.identity = identity;
    connection.credential = credential;
    connection.isOpening = true;
    const opened = await numbers.open(senderCompId, credential.sub);
    connection.isOpening = false;
    if (!this.connections.has(connection)) this.#identities.delete(identity);
    if (opened.numbers === undefined) {
      const code = opened.isFull === true ? FULL : UNAVAILABLE;
      connection.refuse({ ...code, text: opened.detail });
      return;
    }
    // While the numbers were read, the client may have left, and its credential may have been revoked.
    const current = access.current(connection.credential ?? credential);
    if (current === undefined || !this.connections.has(connection)) {
      numbers.release(opened.key, opened.numbers);
      connection.refuse({ status: 401, code: 'unauthorized', text: REVOKED });
      return;
    }
    records?.connected(connection, current, access.entitlementsOf(current));
    connection.admit(opened.key, current, opened.numbers);
    if (!connection.session.isActive) return;
    this.ended.logons++;
    log.connected(connection);
  }

  #ended(connection: FixConnection, kind: FixEnd, reason: string): void {
    const { access, numbers, log, records } = this.#parts;
    const { credential, key, session, address, identity } = connection;
    const refusal = connection.refusal ?? { ...MALFORMED, text: reason };
    this.connections.delete(connection);
    this.#unflushed.delete(connection);
    // Another connection would take the numbers at the same time, and lose them when this one releases them.
    if (identity !== undefined && !connection.isOpening) this.#identities.delete(identity);
    if (identity !== undefined && credential !== undefined) access.leave(address, credential);
    if (key !== undefined) numbers.release(key, session.numbers);
    this.ended.add(connection, kind);
    if (key !== undefined) records?.ended(connection, kind, reason);
    else if (kind === 'refused') records?.refused(connection, refusal);
    if (kind === 'refused') log.refused(connection, refusal);
    else if (credential !== undefined) log.ended(connection, kind, reason);
  }

  /** At once where a client has reset its numbers: after a crash, those before would refuse its next Logon as too low. */
  #save(connections: readonly FixConnection[]): void {
    const open = connections.flatMap(({ key, session }) =>
      key === undefined ? [] : [[key, session.numbers] as const],
    );
    this.#parts.numbers.save(open);
  }

  #reset(wallMs: number): void {
    this.#resetAtMs = nextReset(wallMs, this.#parts.fix.resetTimeMs);
    for (const connection of this.connections) {
      connection.end('regular', 'daily reset of sequence numbers; log on again with MsgSeqNum 1');
    }
  }

  /** Too many bytes wait for all sockets: the connection with the most goes. */
  #shed(): void {
    let most: FixConnection | undefined;
    for (const connection of this.connections) {
      if (most === undefined || connection.buffered > most.buffered) most = connection;
    }
    most?.end('slow', 'slow consumer: too many bytes wait for all clients', true);
  }
}
