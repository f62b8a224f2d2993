/** What operators order over NATS: of all gateways (`control.revoke`), or of the one that is named (`control.drain`). */
import { type Revocation, RevocationList } from './auth/revocations.js';
import type { Logger } from './observe/log.js';
import type { ToWorker } from './protocol/thread-messages.js';

export interface ControlOrdersOptions {
  readonly nodeName: string;
  readonly log: Logger;
  readonly onDrain: () => void;
  readonly onRevoked: (revocation: Revocation) => void;
}

export class ControlOrders {
  /** Those that were taken back so far. */
  readonly revocations = new RevocationList();
  readonly #options: ControlOrdersOptions;

  constructor(options: ControlOrdersOptions) {
    this.#options = options;
  }

  /** Takes one message of a control subject; what is no order is logged and has no effect. */
  receive(subject: string, payload: Uint8Array): void {
    const { nodeName, log, onDrain } = this.#options;
    const order = parseOrder(payload);
    if (order === undefined) {
      log.warn({ subject }, 'order ignored: not a JSON object');
    } else if (subject === 'control.revoke') {
      this.#revoke(order);
    } else if (order.node === nodeName) {
      log.warn({ subject }, 'draining');
      onDrain();
    }
  }

  #revoke(order: Readonly<Record<string, unknown>>): void {
    const { log, onRevoked } = this.#options;
    const revocation = this.revocations.add(order, Date.now());
    if (revocation === undefined) {
      log.warn('revocation ignored: it names neither sub, jti nor api_key, or several');
      return;
    }
    log.warn({ by: revocation.by }, 'credential revoked');
    onRevoked(revocation);
  }
}

/** Undefined: the payload is no JSON object. */
function parseOrder(payload: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // The caller says that it is none.
    return undefined;
  }
}

export function revokeMessage({ by, value, atMs }: Revocation): ToWorker {
  return { type: 'revoke', revocation: { [by]: value }, atMs };
}
