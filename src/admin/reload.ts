/**
 * SIGHUP: reloads what can be reloaded, and says in one line what was reloaded, what is unusable, and which changed
 * settings need a restart.
 */
import { ConfigError } from '../config/config-error.js';
import type { Config } from '../config/environment.js';
import { SETTINGS } from '../config/settings-table.js';
import type { CertificateFiles } from '../gateway/supervision/certificate-files.js';
import type { KeySetPosts } from '../gateway/supervision/key-set-posts.js';
import type { Logger } from '../observe/log.js';
import type { AdminRecord } from '../threads/journal-records.js';
import type { Reloaded, ToWorker } from '../threads/thread-messages.js';
import { adminTokenAfter } from './access.js';

/** How long the workers may take to read their files; a fetch of a key set is not part of it. */
const WORKERS_MAX_MS = 5_000;

/** The settings as they are now. */
export interface Reread {
  readonly config: Config;
  /** Names of the settings whose text has changed since they were last read. */
  readonly changed: readonly string[];
}

interface ReloadParts {
  readonly log: Logger;
  /** For the journal. */
  readonly record: (order: AdminRecord) => void;
  /** @throws {ConfigError} when they are invalid; nothing is reloaded then */
  readonly reread: () => Reread;
  /** Takes over the reloadable settings of this configuration, and returns the configuration in force. */
  readonly take: (config: Config) => Config;
  readonly certificate: CertificateFiles | undefined;
  readonly keySet: Pick<KeySetPosts, 'reload'>;
  readonly workers: { readonly listening: number; postAll(message: ToWorker): void };
}

/** The configuration in force after a reload: what can be reloaded is taken from the fresh one. */
export function configAfter(inForce: Config, fresh: Config, log: Logger): Config {
  const { logLevel, logClients, logUsers } = fresh;
  const { secret, previousSecret } = fresh.auth;
  const adminToken = adminTokenAfter(inForce, fresh, log);
  return { ...inForce, logLevel, logClients, logUsers, adminToken, auth: { ...inForce.auth, secret, previousSecret } };
}

export class Reload {
  readonly #parts: ReloadParts;
  #running: Promise<void> = Promise.resolve();
  #lastId = 0;
  /** Answers to the current order. */
  #answers: (readonly Reloaded[])[] = [];
  #onAnswer = () => {};

  constructor(parts: ReloadParts) {
    this.#parts = parts;
  }

  /** Never rejects. One reload runs at a time. @param reason what asked for it */
  run(reason: string): Promise<void> {
    this.#running = this.#running.then(() => this.#run(reason));
    return this.#running;
  }

  /** A worker has reloaded. */
  answered(id: number, reloaded: readonly Reloaded[]): void {
    if (id !== this.#lastId) return;
    this.#answers.push(reloaded);
    this.#onAnswer();
  }

  async #run(reason: string): Promise<void> {
    const { log, record, reread, take, certificate, keySet } = this.#parts;
    let fresh: Reread;
    try {
      fresh = reread();
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause;
      log.error({ reason, problems: cause.message.split('\n') }, 'reload refused: keeping all settings');
      record({ k: 'admin', what: 'reload', by: reason, result: 'refused' });
      return;
    }
    const config = take(fresh.config);
    const results = await this.#askWorkers(config);
    const keys = await keySet.reload();
    if (keys !== undefined) results.push(keys);
    if (certificate !== undefined) results.push({ name: 'TLS_CERT', problem: await certificate.check(reason) });
    const isReloaded = (name: string) => SETTINGS.get(name)?.isReloaded === true;
    const unusable = results.flatMap(({ name, problem }) => {
      if (problem === undefined) return [];
      return [problem.startsWith(name) ? problem : `${name}: ${problem}`];
    });
    const reloaded = [
      ...fresh.changed.filter(isReloaded),
      ...results.flatMap(({ name, problem }) => (problem === undefined ? [name] : [])),
    ];
    const needsRestart = fresh.changed.filter(name => !isReloaded(name));
    const fields = { reason, reloaded: [...new Set(reloaded)], unusable, needsRestart };
    const before = log.level;
    log.level = config.logLevel;
    // The line is written if the old level or the new one shows it.
    if (!log.isLevelEnabled('info')) log.level = before;
    const isWhole = unusable.length + needsRestart.length === 0;
    const detail = fields.reloaded.join(' ');
    record({ k: 'admin', what: 'reload', by: reason, detail, result: isWhole ? 'done' : 'in_part' });
    if (!isWhole) log.warn(fields, 'reloaded in part');
    else log.info(fields, 'reloaded');
    log.level = config.logLevel;
  }

  /** What all workers have reloaded; the first problem counts where they differ. */
  async #askWorkers({ auth, logClients, logUsers }: Config): Promise<Reloaded[]> {
    const { workers } = this.#parts;
    const { secret, previousSecret } = auth;
    const id = ++this.#lastId;
    this.#answers = [];
    const expected = workers.listening;
    const isComplete = await new Promise<boolean>(resolve => {
      const late = setTimeout(() => resolve(false), WORKERS_MAX_MS);
      this.#onAnswer = () => {
        if (this.#answers.length < expected) return;
        clearTimeout(late);
        resolve(true);
      };
      workers.postAll({ type: 'reload', id, settings: { secret, previousSecret, logClients, logUsers } });
      this.#onAnswer();
    });
    const results = new Map<string, Reloaded>();
    for (const one of this.#answers.flat()) {
      if (results.get(one.name)?.problem === undefined) results.set(one.name, one);
    }
    if (!isComplete) {
      const silent = expected - this.#answers.length;
      results.set('WORKERS', { name: 'WORKERS', problem: `${silent} gateway threads have not reloaded yet` });
    }
    return [...results.values()];
  }
}
