/** Which program each thread runs, and the port that it serves: the gateway threads share one, the FIX thread has its own. */
import { ConfigError } from '../../config/config-error.js';
import type { Config } from '../../config/environment.js';
import { readerThreads } from '../../config/reader-threads.js';

export class ThreadPrograms {
  /** Number of threads. The FIX thread, if there is one, is the last. */
  readonly count: number;
  readonly #files: { readonly gateway: URL; readonly fix: URL };
  readonly #fixWorker: number | undefined;
  #port: number;
  #fixPort: number;

  constructor(config: Config, files: { readonly gateway: URL; readonly fix: URL }) {
    this.#files = files;
    this.count = readerThreads(config);
    this.#fixWorker = config.fix === undefined ? undefined : this.count - 1;
    this.#port = config.port;
    this.#fixPort = config.fix?.port ?? 0;
  }

  /** The port of the FIX thread; undefined without one. */
  get fixPort(): number | undefined {
    return this.#fixWorker === undefined ? undefined : this.#fixPort;
  }

  fileOf(worker: number): URL {
    return this.#isFix(worker) ? this.#files.fix : this.#files.gateway;
  }

  nameOf(worker: number): string {
    return this.#isFix(worker) ? 'fix' : `gateway-${worker}`;
  }

  portOf(worker: number): number {
    return this.#isFix(worker) ? this.#fixPort : this.#port;
  }

  /** The thread listens on this port. */
  listens(worker: number, port: number): void {
    if (this.#isFix(worker)) this.#fixPort = port;
    else this.#port = port;
  }

  /** Why the thread does not listen. */
  listenFailure(worker: number, port: number, host: string): string {
    const setting = this.#isFix(worker) ? 'FIX_PORT' : 'PORT';
    return `${setting}=${port}: in use by another program, or not permitted (HOST ${host})`;
  }

  startFailure(worker: number, reason: string): Error {
    return /^(?:FIX_)?PORT=/.test(reason)
      ? new ConfigError(reason)
      : new Error(`${this.#isFix(worker) ? 'FIX thread' : `gateway worker ${worker}`} did not start: ${reason}`);
  }

  #isFix(worker: number): boolean {
    return worker === this.#fixWorker;
  }
}
