/** Which program each thread runs, and the port that it serves: the gateway threads share one, the FIX thread has its own. */
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

  /** The setting that names the thread's port. */
  settingOf(worker: number): string {
    return this.#isFix(worker) ? 'FIX_PORT' : 'PORT';
  }

  #isFix(worker: number): boolean {
    return worker === this.#fixWorker;
  }
}
