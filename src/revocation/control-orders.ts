/** Operators' orders over NATS: to all gateways (`control.revoke`), or to the one they name (`control.drain`). */
import { createHash } from 'node:crypto';
import { type Revocation, revocationOf } from '../auth/revocation-text.js';
import type { Respond } from '../feed-contract/feed.js';
import type { Logger } from '../observe/log.js';
import { BoundedMap } from '../protocol/bounded-map.js';
import type { AdminRecord } from '../threads/journal-records.js';
import type { RevocationKeeper } from './keeper.js';
import { timeText } from './listing.js';

/** Longer messages are not orders. */
const ORDER_BYTES_MAX = 16_384;
/** Orders remembered, so that one that arrives in two ways is logged once. */
const RECENT_MAX = 1_000;
const NO_REVOCATION = 'it must name exactly one of sub, jti and api_key, with a valid value';
const NO_ROOM = 'this gateway has no room for another revocation';

interface ControlOrdersOptions {
  readonly nodeName: string;
  readonly log: Logger;
  /** For the journal. */
  readonly record: (order: AdminRecord) => void;
  readonly onDrain: () => void;
  readonly revocations: RevocationKeeper;
}

/** How often an order arrived: live, and from a server that kept it. */
interface Copies {
  heard: number;
  kept: number;
}

export class ControlOrders {
  readonly #options: ControlOrdersOptions;
  readonly #recent = new BoundedMap<string, Copies>(RECENT_MAX);

  constructor(options: ControlOrdersOptions) {
    this.#options = options;
  }

  /**
   * Takes one message of a control subject. Messages that are not orders are logged and ignored.
   * @param respond answers a sender that waits for it
   */
  receive(subject: string, payload: Uint8Array, respond?: Respond): void {
    const { nodeName, log, record, onDrain } = this.#options;
    if (subject === 'control.revoke') {
      void this.#revoke(payload, respond);
      return;
    }
    const order = parseOrder(payload);
    if (order === undefined) {
      log.warn({ subject }, 'order ignored: not a JSON object');
    } else if (order.node === nodeName) {
      log.warn({ subject }, 'draining');
      record({ k: 'admin', what: 'drain', by: subject, result: 'done' });
      onDrain();
    }
  }

  /**
   * Takes a message of `control.revoke` that a server kept. It may already have been received live.
   * @param atMs when the server received it. @returns false if it must be kept for later
   */
  kept(payload: Uint8Array, atMs: number): boolean {
    const revocation = this.#revocationOf(payload, atMs, 'kept');
    return revocation === undefined || this.#options.revocations.take(revocation);
  }

  async #revoke(payload: Uint8Array, respond: Respond | undefined): Promise<void> {
    const { nodeName, revocations } = this.#options;
    const revocation = this.#revocationOf(payload, Date.now(), 'heard');
    if (respond === undefined) {
      // No one waits for an answer, so a flood of them takes no memory.
      if (revocation !== undefined) revocations.take(revocation);
      return;
    }
    const answer = (members: object): void => respond(JSON.stringify({ ...members, gateway: nodeName }));
    if (revocation === undefined) return answer({ ok: false, error: NO_REVOCATION });
    const stored = await revocations.revoke(revocation);
    if (stored === undefined) return answer({ ok: false, error: NO_ROOM });
    const { by, value, atMs } = revocation;
    answer({ ok: true, by, value, at: timeText(atMs), expires: timeText(revocations.expiresAtMs(revocation)), stored });
  }

  #revocationOf(payload: Uint8Array, atMs: number, way: keyof Copies): Revocation | undefined {
    const { log, record } = this.#options;
    const isFirst = this.#isFirst(payload, way);
    const order = parseOrder(payload);
    const revocation = revocationOf(order, atMs);
    if (!isFirst) return revocation;
    if (order === undefined) log.warn({ subject: 'control.revoke' }, 'order ignored: not a JSON object');
    else if (revocation === undefined) log.warn({ reason: NO_REVOCATION }, 'revocation ignored');
    else {
      const { by, value, author, reason } = revocation;
      log.warn({ by, author, reason }, 'credential revoked');
      const target = by === 'sub' ? { user: value } : { detail: `${by} ${value}` };
      record({ k: 'admin', what: 'revoke', by: 'control.revoke', author, ...target, result: 'accepted' });
    }
    return revocation;
  }

  /** False for the second copy of an order that arrives both ways. */
  #isFirst(payload: Uint8Array, way: keyof Copies): boolean {
    const key = createHash('sha256').update(payload).digest('base64');
    const copies = this.#recent.get(key) ?? { heard: 0, kept: 0 };
    copies[way]++;
    this.#recent.set(key, copies);
    return copies[way] > copies[way === 'heard' ? 'kept' : 'heard'];
  }
}

/** Undefined: the payload is not a JSON object. */
function parseOrder(payload: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  if (payload.length > ORDER_BYTES_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString());
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    // The caller reports it.
    return undefined;
  }
}
