/** Logs frequent events at most once a second per kind, with the number suppressed. */
import type { ClientEvent, ClientLine, LongWork } from '../threads/client-lines.js';
import type { Logger, LogSampler } from './log.js';
import { clientEvents } from './log-events/clients.js';

/** The event that is logged for each. */
const CLIENT_EVENTS: Readonly<Record<ClientEvent, keyof typeof clientEvents.events>> = {
  connected: 'client_connected',
  refused: 'client_refused',
  stepped_down: 'client_stepped_down',
  restored: 'client_restored',
  ended: 'client_ended',
  broken: 'client_ended',
};

export class SampledNotes {
  readonly #log: Logger;
  readonly #sampler: LogSampler;

  constructor(log: Logger, sampler: LogSampler) {
    this.#log = log;
    this.#sampler = sampler;
  }

  /** Logs an unexpected failure. */
  fault(what: string, detail: string): void {
    const suppressed = this.#sampler.pass(`fault ${what}`);
    if (suppressed !== undefined) this.#log.error({ what, detail, suppressed }, 'fault');
  }

  /** A worker closed slow clients because too many bytes were buffered for all of them together. */
  shed(worker: number, sockets: number, bytes: number): void {
    const suppressed = this.#sampler.pass('shed');
    if (suppressed === undefined) return;
    const detail = { worker, sockets, bytes, suppressed };
    this.#log.warn(detail, 'slow clients closed: WS_MAX_BUFFERED_TOTAL exceeded');
  }

  /** Events of clients. @param leftOut further ones, which are not logged */
  clients(lines: readonly ClientLine[], leftOut: number): void {
    for (const { event, ...fields } of lines) this.#log.info(fields, clientEvents.events[CLIENT_EVENTS[event]].message);
    if (leftOut > 0) this.#log.info({ leftOut }, 'too many events of clients; not all are logged');
  }

  /** Work for one connection of a worker took too long. */
  longWork(worker: number, work: LongWork): void {
    this.#log.warn({ worker, ...work }, 'work for one connection took too long; closing the connection');
  }

  descriptors(isShort: boolean): void {
    if (isShort) this.#log.error('out of file descriptors; refusing new connections');
    else this.#log.warn('file descriptors available again; accepting connections');
  }

  wrongAdminToken(address: string): void {
    const suppressed = this.#sampler.pass('admin token');
    if (suppressed !== undefined) this.#log.warn({ address, suppressed }, 'a wrong ADMIN_TOKEN was refused');
  }
}
