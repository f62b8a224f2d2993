/** What a gateway thread reads again on a reload: keys, API keys and the policy; and the settings that may change. */
import type { FromWorker, ReloadedSettings } from '../threads/thread-messages.js';
import type { Access } from './sessions/access.js';
import type { ClientLog } from './supervision/client-log.js';

interface ReloadingParts {
  readonly access: Access;
  readonly log: ClientLog;
  readonly post: (message: FromWorker) => void;
}

export class Reloading {
  readonly #parts: ReloadingParts;

  constructor(parts: ReloadingParts) {
    this.#parts = parts;
  }

  /** Never rejects: what is unusable is reported, and stays as it was. */
  async reload(id: number, settings: ReloadedSettings): Promise<void> {
    const { access, log, post } = this.#parts;
    log.settings = settings;
    post({ type: 'reloaded', id, reloaded: await access.reload(settings) });
  }
}
